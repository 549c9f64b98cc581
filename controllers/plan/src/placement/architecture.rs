//! Which processors the pods of a template can run on, as far as the template says so.

use std::collections::BTreeSet;

use serde_json::Value;

/// The label that every kubelet puts on its node (well-known labels of Kubernetes).
const LABEL: &str = "kubernetes.io/arch";

/// How architectures are written in tags and repositories, and the name that Go and Kubernetes give them. Those of the Docker
/// Official Images for one architecture are the folders of their registry (`docker-library/official-images`, "Architectures
/// other than amd64?"); 32-bit x86 runs on the same nodes as amd64, 32-bit ARM on none that a pool declares.
const WORDS: [(&str, &str); 10] = [
    ("arm64v8", "arm64"),
    ("aarch64", "arm64"),
    ("arm64", "arm64"),
    ("x86_64", "amd64"),
    ("x86-64", "amd64"),
    ("amd64", "amd64"),
    ("i386", "amd64"),
    ("arm32v7", "arm"),
    ("arm32v6", "arm"),
    ("arm32v5", "arm"),
];

/// What a pod's selector, affinity and images allow together, and who says so; `None`: nobody says anything.
pub fn declared(pod: &Value) -> Option<(BTreeSet<String>, String)> {
    let mut said: Option<(BTreeSet<String>, String)> = None;
    let all = selector(pod).into_iter().chain(affinity(pod)).chain(images(pod));
    for (allowed, by) in all {
        said = Some(match said {
            None => (allowed, by),
            Some((before, who)) if before.is_subset(&allowed) => (before, who),
            Some((before, who)) => (before.intersection(&allowed).cloned().collect(), format!("{who}, {by}")),
        });
    }
    said
}

type Said = (BTreeSet<String>, String);

fn selector(pod: &Value) -> Option<Said> {
    let arch = pod.get("nodeSelector")?.get(LABEL)?.as_str()?;
    Some(([arch.to_owned()].into(), "nodeSelector".to_owned()))
}

/// The terms of a required affinity are alternatives: one that says nothing allows everything.
fn affinity(pod: &Value) -> Option<Said> {
    let required = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let terms = pod.pointer(required)?.as_array()?;
    let term = |term: &Value| {
        let rules = term.get("matchExpressions")?.as_array()?;
        let rule = rules.iter().find(|r| r["key"] == LABEL && r["operator"] == "In")?;
        let values = rule.get("values")?.as_array()?;
        Some(
            values
                .iter()
                .filter_map(|v| Some(v.as_str()?.to_owned()))
                .collect::<Vec<_>>(),
        )
    };
    let all: Option<Vec<Vec<String>>> = terms.iter().map(term).collect();
    Some((all?.into_iter().flatten().collect(), "nodeAffinity".to_owned()))
}

fn images(pod: &Value) -> Vec<Said> {
    let containers = ["containers", "initContainers"].map(|list| pod.get(list).and_then(Value::as_array));
    let images = containers.into_iter().flatten().flatten();
    images
        .filter_map(|c| {
            let image = c.get("image")?.as_str()?;
            Some(([of_image(image)?.to_owned()].into(), format!("image {image}")))
        })
        .collect()
}

/// The architecture at the end of an image's tag (`…:1.2-arm64`), at the end of its name (`pause-arm64`), as Kubernetes and
/// others name images of one architecture, or in its folders (`arm64v8/…`). A name that merely contains such letters says
/// nothing.
fn of_image(image: &str) -> Option<&'static str> {
    let path = image.split('@').next().unwrap_or_default();
    let (repository, tag) = path
        .rsplit_once(':')
        .filter(|(_, tag)| !tag.contains('/'))
        .unwrap_or((path, ""));
    let (folders, name) = repository.rsplit_once('/').unwrap_or(("", repository));
    let is_end = |text: &str, word: &str| {
        let before = text.strip_suffix(word);
        before.is_some_and(|before| before.is_empty() || before.ends_with('-'))
    };
    let at_the_end = |text: &str| WORDS.iter().find(|(word, _)| is_end(text, word));
    let folder = || {
        WORDS
            .iter()
            .find(|(word, _)| folders.split('/').any(|part| part == *word))
    };
    let found = at_the_end(tag).or_else(|| at_the_end(name)).or_else(folder);
    found.map(|(_, architecture)| *architecture)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(pod: &Value) -> Option<Vec<String>> {
        declared(pod).map(|(all, _)| all.into_iter().collect())
    }

    #[test]
    fn an_image_says_it_where_everybody_reads_it() {
        for (image, expected) in [
            ("registry.k8s.io/pause-arm64:3.9", Some("arm64")),
            ("registry.k8s.io/pause-amd64:3.9", Some("amd64")),
            ("registry.gov:5000/ocr-x86_64", Some("amd64")),
            ("quay.io/coreos/flannel:v0.11.0-aarch64", Some("arm64")),
            ("amd64/nginx:1", Some("amd64")),
            ("docker.io/arm32v7/nginx", Some("arm")),
            ("i386/debian", Some("amd64")),
            ("registry.gov/arm64/ocr:2", Some("arm64")),
            ("ocr-arm64:1-amd64", Some("amd64")),
            ("arm64", Some("arm64")),
            ("alarm64:1", None),
            ("charm:2-alarm64", None),
            ("robot-arm:1", None),
            ("charm/xarm64v8/web:arm", None),
            ("arm64-tools:amd64-1.2", None),
            ("amd64.gov.cn:5000/web", None),
            ("amd64.gov.cn/web@sha256:00-arm64", None),
        ] {
            assert_eq!(of_image(image), expected, "{image}");
        }
    }

    #[test]
    fn selectors_affinities_and_images_say_it() {
        let image = |image: &str| json!({"containers": [{"image": image}]});
        let cases = [
            (json!({"containers": [{"image": "a/b:1.2"}]}), None),
            (
                json!({"nodeSelector": {"kubernetes.io/arch": "arm64"}}),
                Some(vec!["arm64"]),
            ),
            (image("registry.gov:5000/ocr:1.2-arm64"), Some(vec!["arm64"])),
            (image("arm64v8/nginx:1"), Some(vec!["arm64"])),
            (image("registry.gov:5000/ocr@sha256:00"), None),
            (image("ocr:2-x86_64@sha256:00"), Some(vec!["amd64"])),
            (
                json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64", "amd64"]}]}]}}},
                "containers": [{"image": "x:amd64"}]}),
                Some(vec!["amd64"]),
            ),
            (
                json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}]},
                {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}]}}}}),
                None,
            ),
        ];
        for (pod, expected) in cases {
            let expected = expected.map(|all| all.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(names(&pod), expected, "{pod}");
        }
    }
}
