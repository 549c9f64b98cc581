use serde_json::json;

use super::*;

#[test]
fn a_deployment_says_what_it_needs() {
    let pod = json!({
        "serviceAccountName": "web",
        "imagePullSecrets": [{"name": "registry"}],
        "volumes": [{"name": "a", "configMap": {"name": "settings"}}, {"name": "b", "secret": {"secretName": "keys", "optional": true}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "d", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}, {"secret": {"name": "token"}}]}}],
        "initContainers": [{"name": "i", "resources": {"requests": {"cpu": "4", "memory": "1Gi"}, "limits": {"cpu": "4", "memory": "1Gi"}}}],
        "containers": [
            {"name": "c", "envFrom": [{"secretRef": {"name": "env"}}],
             "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi", "nvidia.com/gpu": "1"}}},
            {"name": "silent"}],
    });
    let found = read(
        &TemplateKind::Deployment,
        &json!({"metadata": {"name": "web", "generation": 3, "labels": {"app": "web"}},
        "spec": {"replicas": 4, "template": {"spec": pod}}}),
    );
    assert_eq!((found.copies, found.generation), (4, 3));
    let names = |all: &BTreeSet<PlacedObject>| all.iter().map(|o| o.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        names(&found.needs),
        ["web", "settings", "env", "registry", "token", "data"]
    );
    assert_eq!(names(&found.likes), ["keys"]);
    assert_eq!(found.each.cpu, 4000);
    assert_eq!(found.each.memory, (1 << 30) + (512 << 20));
    assert_eq!(found.each.in_pool(Some("nvidia.com/gpu")).accelerators, 1);
}

#[test]
fn what_a_cluster_makes_is_no_template() {
    let named = |name: &str| json!({"metadata": {"name": name}});
    assert!(!read(&TemplateKind::ConfigMap, &named("kube-root-ca.crt")).placeable);
    assert!(!read(&TemplateKind::ServiceAccount, &named("default")).placeable);
    assert!(read(&TemplateKind::ConfigMap, &named("settings")).placeable);
    let owned = json!({"metadata": {"name": "j", "ownerReferences": [{"controller": true}]}});
    assert!(!read(&TemplateKind::Job, &owned).placeable);
}

#[test]
fn an_autoscaler_names_its_workload() {
    let hpa = json!({"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}});
    let found = read(&TemplateKind::HorizontalPodAutoscaler, &hpa);
    assert_eq!(found.scales, Some(object(TemplateKind::Deployment, "web")));
}

/// What one pod of that spec takes: milli-vCPU and Mi.
fn pod(spec: &serde_json::Value) -> (i128, i128) {
    let found = read(
        &TemplateKind::Deployment,
        &json!({"metadata": {"name": "web"}, "spec": {"template": {"spec": spec}}}),
    );
    (found.each.cpu, found.each.memory >> 20)
}

/// A container of so many vCPU and Gi.
fn takes(amount: i64) -> serde_json::Value {
    json!({"resources": {"limits": {"cpu": amount, "memory": format!("{amount}Gi")}}})
}

fn sidecar(amount: i64) -> serde_json::Value {
    let mut one = takes(amount);
    one["restartPolicy"] = json!("Always");
    one
}

#[test]
fn an_init_container_runs_beside_the_sidecars_before_it() {
    let with = |init: &[serde_json::Value]| pod(&json!({"containers": [takes(2)], "initContainers": init})).0;
    assert_eq!(with(&[takes(5)]), 5000, "before the containers");
    assert_eq!(with(&[takes(1), sidecar(1)]), 3000, "a sidecar stays");
    assert_eq!(with(&[sidecar(1), takes(5)]), 6000, "the sidecar runs already");
    assert_eq!(with(&[takes(5), sidecar(1)]), 5000, "the sidecar does not run yet");
    assert_eq!(with(&[sidecar(1), takes(1), sidecar(1)]), 4000);
}

#[test]
fn what_the_pod_bounds_as_a_whole_and_its_overhead_count() {
    let whole =
        |resources: &serde_json::Value| pod(&json!({"containers": [takes(2), takes(2)], "resources": resources}));
    assert_eq!(whole(&json!({})), (4000, 4096));
    assert_eq!(whole(&json!({"limits": {"cpu": "3"}})), (3000, 4096), "of one resource");
    assert_eq!(whole(&json!({"requests": {"cpu": "6", "memory": "1Gi"}})), (6000, 4096));
    assert_eq!(
        whole(&json!({"requests": {"cpu": "1"}, "limits": {"cpu": "5", "memory": "6Gi"}})),
        (5000, 6144)
    );
    let overhead = json!({"cpu": "250m", "memory": "128Mi"});
    assert_eq!(
        pod(&json!({"containers": [takes(1)], "overhead": overhead})),
        (1250, 1152)
    );
    assert_eq!(
        pod(&json!({"containers": [takes(1)], "overhead": overhead, "resources": {"limits": {"cpu": "3"}}})),
        (3250, 1152)
    );
}

#[test]
fn a_job_counts_the_pods_that_run_at_once() {
    let copies = |kind: TemplateKind, job: &serde_json::Value| {
        let spec = if kind == TemplateKind::CronJob {
            json!({"schedule": "0 3 * * *", "jobTemplate": {"spec": job}})
        } else {
            job.clone()
        };
        read(&kind, &json!({"metadata": {"name": "j"}, "spec": spec})).copies
    };
    for kind in [TemplateKind::Job, TemplateKind::CronJob] {
        for (job, expected) in [
            (json!({}), 1),
            (json!({"parallelism": 4}), 4),
            (json!({"parallelism": 4, "completions": 10}), 4),
            (json!({"parallelism": 4, "completions": 3}), 3),
            (json!({"completions": 3}), 1),
            (json!({"parallelism": 0}), 0),
        ] {
            assert_eq!(copies(kind.clone(), &job), expected, "{kind:?} {job}");
        }
    }
}
