//! The stream itself, from the templates of charts/agent: there is one text of the agent's roles and policies.

use crds::MemberStage;
use serde_json::{Value, json};

use super::Joining;
use crate::failure::Failure;
use crate::lang::{Lang, both};

const NAMESPACE: &str = include_str!("../../../../charts/agent/templates/00-namespace.yaml");
const ROLES: &str = include_str!("../../../../charts/agent/templates/10-roles.yaml");
const SCOPE: &str = include_str!("../../../../charts/agent/templates/20-policy-agent.yaml");
const PODS: &str = include_str!("../../../../charts/agent/templates/21-policy-pods.yaml");
const AGENT: &str = include_str!("../../../../charts/agent/templates/40-agent.yaml");
const VALUES: &str = include_str!("../../../../charts/agent/values.yaml");

/// What an agent may do with anything where it writes nothing.
const READS: [&str; 3] = ["get", "list", "watch"];
/// What it does not even read there, in any namespace.
const UNREAD: [&str; 2] = ["secrets", "configmaps"];

/// Everything that the member applies, with comments in one language.
///
/// # Errors
/// A template that cannot be read, which a test would have found.
pub fn manifest(joining: &Joining, lang: Lang) -> Result<String, Failure> {
    let observed = joining.stage == MemberStage::Observed;
    let roles = if observed { read_only(ROLES)? } else { plain(ROLES) };
    let mut parts = vec![header(joining, lang), plain(NAMESPACE), roles];
    if !observed {
        // In a cloud that is only observed nothing of ours stands in the way of anybody.
        parts.extend([plain(SCOPE), plain(PODS)]);
    }
    parts.push(hub(joining)?);
    parts.push(agent(joining)?);
    Ok(parts.join("---\n"))
}

/// What a member cloud has no part in: its agent neither beats nor fences.
const LEFT_OUT: [&str; 2] = ["{{- if .Values.arbiterSecret }}", "{{- if .Values.gate.enabled }}"];

/// A template without its comments, without lines of the template language alone, and without what is left out.
fn plain(template: &str) -> String {
    // How many conditions deep it is in something that is left out.
    let mut out = 0_usize;
    let kept = template.lines().filter(|line| {
        let text = line.trim_start();
        let control = text.starts_with("{{-") && text.ends_with("}}");
        if control && text.starts_with("{{- if") && (out > 0 || LEFT_OUT.contains(&text)) {
            out += 1;
        } else if control && text.starts_with("{{- end") {
            out = out.saturating_sub(1);
        }
        out == 0 && !control && !text.starts_with('#')
    });
    kept.flat_map(|line| [line, "\n"]).collect()
}

fn unreadable(error: impl std::fmt::Display) -> Failure {
    Failure::Refused(format!("charts/agent: {error}"))
}

/// The roles with reading verbs alone. Each role stays, so that applying them over wider ones takes the rest away.
fn read_only(roles: &str) -> Result<String, Failure> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(roles).map_err(unreadable)?;
    let mut texts = Vec::new();
    for mut document in documents {
        // In its own namespace it reads its record of epochs.
        let unread: &[&str] = if document.get("kind") == Some(&json!("ClusterRole")) {
            &UNREAD
        } else {
            &[]
        };
        if let Some(fields) = document.as_object_mut().filter(|d| d.contains_key("aggregationRule")) {
            // Whatever the cloud's own people add to it could write.
            fields.remove("aggregationRule");
            fields.insert("rules".to_owned(), json!([]));
        }
        if let Some(rules) = document.get_mut("rules").and_then(Value::as_array_mut) {
            for rule in rules.iter_mut() {
                keep(rule, "verbs", |verb| READS.contains(&verb));
                keep(rule, "resources", |resource| !unread.contains(&resource));
            }
            let some =
                |rule: &Value, what: &str| rule.get(what).and_then(Value::as_array).is_some_and(|a| !a.is_empty());
            rules.retain(|rule| some(rule, "verbs") && (some(rule, "resources") || some(rule, "nonResourceURLs")));
        }
        texts.push(serde_saphyr::to_string(&document).map_err(unreadable)?);
    }
    Ok(texts.join("---\n"))
}

fn keep(rule: &mut Value, what: &str, wanted: impl Fn(&str) -> bool) {
    if let Some(all) = rule.get_mut(what).and_then(Value::as_array_mut) {
        all.retain(|one| one.as_str().is_some_and(&wanted));
    }
}

/// What is public of the hub.
fn hub(joining: &Joining) -> Result<String, Failure> {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "xiangyun-hub", "namespace": "xiangyun-system"},
        "data": {"server": joining.hub, "ca.crt": joining.ca}});
    serde_saphyr::to_string(&map).map_err(unreadable)
}

/// The service account and the Deployment, with the chart's own values.
fn agent(joining: &Joining) -> Result<String, Failure> {
    let values: Value = serde_saphyr::from_str(VALUES).map_err(unreadable)?;
    let value = |name: &str| values.get(name).cloned().unwrap_or_default();
    let image = joining.image.clone().map_or_else(|| value("image"), Value::String);
    // Without a lease nobody chooses between two, and one is enough to look.
    let replicas = if joining.stage == MemberStage::Observed {
        json!(1)
    } else {
        value("replicas")
    };
    let filled = [
        ("{{ .Chart.AppVersion | quote }}", json!(env!("CARGO_PKG_VERSION"))),
        ("{{ .Values.replicas }}", replicas),
        ("{{ .Values.image | quote }}", image),
        ("{{- toYaml .Values.resources | nindent 12 }}", value("resources")),
        (
            "{{ .Values.hubKubeconfigSecret | quote }}",
            value("hubKubeconfigSecret"),
        ),
    ];
    let text = plain(AGENT).replace("{{ .Values.centre }}", &joining.name);
    // JSON is YAML.
    let fill = |text: String, (place, value): (&str, Value)| text.replace(place, &value.to_string());
    let text = filled.into_iter().fold(text, fill);
    if text.contains("{{") {
        return Err(unreadable("a template has a field that `join` does not know"));
    }
    Ok(text)
}

fn header(joining: &Joining, lang: Lang) -> String {
    let Joining { name, stage, hub, .. } = joining;
    let group = if *stage == MemberStage::Observed {
        "observers"
    } else {
        "centres"
    };
    let does = match stage {
        MemberStage::Observed => both(
            "It reads nodes, pods and quotas, and writes nothing here: no object, no lease. It reads no Secrets and no ConfigMaps.",
            "代理只读取节点、容器组与配额，在此不作任何写入（包括租约），也不读取 Secret 与 ConfigMap。",
        ),
        MemberStage::Advised => both(
            "It writes its lease and its epochs in xiangyun-system, and of what the hub decides only what a person of this cloud confirmed.",
            "代理在 xiangyun-system 写入租约与 epoch；枢纽的分派仅在本云人员确认后落实。",
        ),
        MemberStage::Scheduled => both(
            "It carries out what the hub decides, within spec.member.lend, in namespaces that it makes for tenants and in no others.",
            "代理在 spec.member.lend 额度内落实枢纽的分派，仅写入其为租户建立的命名空间。",
        ),
    };
    let lines = [
        (both(format!("{name} joins at stage {stage:?}. Apply this stream in its own cluster with kubectl apply -f."),
            format!("{name} 以 {stage:?} 阶段接入。请在本云集群中以 kubectl apply -f 提交。")), ""),
        (does, ""),
        (both(format!("Every connection is opened from here, outbound to {hub}; nothing connects in."),
            format!("所有连接均由本云主动发起，出向 {hub}；无需开放入向端口。")), ""),
        (both("Up: apply the stream of the next stage, then raise spec.member.stage in the hub. Down: the other way round; what runs goes on.",
            "升级：先提交下一阶段的清单，再提升枢纽中的 stage。回退：次序相反，已运行的业务不受影响。"), ""),
        (both("Its credential for the hub is made here, so that the key never leaves this cloud:",
            "访问枢纽的凭据在本云生成，私钥不出本云："), ""),
        (both("1. a key, and a request for the administrator of the hub, who answers with hub.crt",
            "1. 生成私钥与证书请求，将 hub.csr 交枢纽管理员签发，取回 hub.crt"),
            &*format!("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout hub.key -out hub.csr -subj '/O=xiangyun:{group}/CN=xiangyun:centre:{name}'")),
        (both("2. the Secret that the agent waits for", "2. 建立代理等待的 Secret"),
            &*format!(r"kubectl -n xiangyun-system get configmap xiangyun-hub -o jsonpath='{{.data.ca\.crt}}' > hub-ca.crt
kubectl config --kubeconfig=kubeconfig set-cluster hub --server={hub} --certificate-authority=hub-ca.crt --embed-certs
kubectl config --kubeconfig=kubeconfig set-credentials agent --client-certificate=hub.crt --client-key=hub.key --embed-certs
kubectl config --kubeconfig=kubeconfig set-context hub --cluster=hub --user=agent
kubectl config --kubeconfig=kubeconfig use-context hub
kubectl -n xiangyun-system create secret generic xiangyun-agent --from-file=kubeconfig")),
    ]
    .map(|(words, commands)| {
        let commands = commands.lines().flat_map(|line| ["#   ", line, "\n"]).collect::<String>();
        format!("# {}\n{commands}", lang.half(&words))
    });
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(stage: MemberStage) -> Vec<Value> {
        let joining = Joining {
            name: "yanbian".into(),
            stage,
            hub: "https://hub.example:6443".into(),
            ca: "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n".into(),
            image: None,
        };
        let text = manifest(&joining, Lang::En).unwrap();
        serde_saphyr::from_multiple(&text).unwrap()
    }

    fn rules<'a>(all: &'a [Value], kind: &str) -> impl Iterator<Item = &'a Value> {
        let roles = all.iter().filter(move |o| o["kind"] == kind).collect::<Vec<_>>();
        roles.into_iter().flat_map(|o| o["rules"].as_array().unwrap())
    }

    #[test]
    fn an_observed_cloud_gives_reading_alone() {
        let all = stream(MemberStage::Observed);
        let both = rules(&all, "ClusterRole").chain(rules(&all, "Role"));
        for rule in both {
            let words = |what: &str| {
                rule[what]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|v| v.as_str().unwrap())
                    .collect::<Vec<_>>()
            };
            assert!(words("verbs").iter().all(|verb| READS.contains(verb)), "{rule}");
            assert!(!words("resources").contains(&"secrets"), "{rule}");
        }
        assert!(
            !all.iter()
                .any(|o| o["kind"].as_str().unwrap().ends_with("AdmissionPolicy"))
        );
        let agent = all.iter().find(|o| o["kind"] == "Deployment").unwrap();
        assert_eq!(agent["spec"]["replicas"], 1);
    }

    #[test]
    fn each_stage_has_the_same_objects_or_more() {
        let names = |stage| -> Vec<String> {
            stream(stage)
                .iter()
                .map(|o| format!("{}/{}", o["kind"], o["metadata"]["name"]))
                .collect()
        };
        let (observed, scheduled) = (names(MemberStage::Observed), names(MemberStage::Scheduled));
        assert_eq!(names(MemberStage::Advised), scheduled);
        // What the lower one leaves out it must not have widened: roles are in both.
        assert!(observed.iter().all(|name| scheduled.contains(name)));
        assert!(observed.iter().any(|n| n == "\"Role\"/\"xiangyun-centre\""));
    }

    #[test]
    fn a_scheduled_one_has_the_role_of_a_centre() {
        let chart: Vec<Value> = serde_saphyr::from_multiple(ROLES).unwrap();
        let all = stream(MemberStage::Scheduled);
        assert!(chart.iter().all(|o| all.contains(o)));
        let agent = all.iter().find(|o| o["kind"] == "Deployment").unwrap();
        let container = &agent["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["args"][1], "--centre=yanbian");
        assert_eq!(container["resources"]["limits"]["memory"], "256Mi");
    }
}
