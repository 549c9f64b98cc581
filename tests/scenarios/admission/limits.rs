//! What can never fit is refused while it is applied, with the numbers, once the operator has published its limits.

use playground::Cloud;
use serde_json::{Value, json};
use tests::repository;

use crate::kubectl::At;
use crate::{merged, valid};

/// The limits of `examples/10-pools.yaml`, and a small pool of another zone.
fn limits() -> Value {
    let row = |name: &str, kind: &str, more: Value, full: Value, any: Value| {
        merged(
            &json!({"name": name, "kind": kind, "zone": "GovExtranet", "full": full, "any": any}),
            &more,
        )
    };
    let compute = |architecture| json!({ "architecture": architecture });
    let pools = [
        row(
            "x86",
            "Compute",
            compute("amd64"),
            json!({"cpu": "11520", "memory": "48600G"}),
            json!({"cpu": "23040", "memory": "97200G"}),
        ),
        row(
            "arm",
            "Compute",
            compute("arm64"),
            json!({"cpu": "2304", "memory": "90000G"}),
            json!({"cpu": "4608", "memory": "180000G"}),
        ),
        row(
            "dmz",
            "Compute",
            json!({"architecture": "amd64", "zone": "InternetFacing"}),
            json!({"cpu": "100", "memory": "400Gi"}),
            json!({"cpu": "200", "memory": "800Gi"}),
        ),
        row(
            "gpu-inference",
            "Accelerator",
            json!({"architecture": "amd64", "use": "Inference"}),
            json!({"cpu": "194", "memory": "972G", "accelerators": "14"}),
            json!({"cpu": "388", "memory": "1944G", "accelerators": "28"}),
        ),
        row(
            "storage-hot",
            "Storage",
            json!({"tier": "Hot"}),
            json!({"storage": "3150T"}),
            // It is copied, or lies in one centre: no survival lets more in.
            json!({"storage": "3150T"}),
        ),
    ];
    json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "AdmissionLimits", "metadata": {"name": "province"}, "spec": {"pools": pools}})
}

fn asking(spec: &Value) -> Value {
    merged(
        &valid("resourcerequests"),
        &json!({"metadata": {"name": "asks"}, "spec": spec}),
    )
}

fn pools(name: &str, amounts: &Value) -> Value {
    json!({"resources": null, "pools": [{"name": name, "amounts": amounts}]})
}

fn cards(count: i64) -> Value {
    json!({"resources": {"accelerators": [{"use": "Inference", "count": count}]}})
}

fn cpu(cpu: &str) -> Value {
    json!({"cpu": cpu, "memory": "1Gi"})
}

fn fits_or_is_not_known() -> Vec<Value> {
    vec![
        json!({"resources": cpu("11520")}),
        // 60% of more than 19200 never fits into 11520, which the reconcile says: a row has no figure for each percentage.
        json!({"resources": cpu("19200"), "survival": "60%"}),
        json!({"resources": cpu("23040"), "survival": "60%"}),
        json!({"resources": cpu("100"), "zone": "InternetFacing"}),
        cards(14),
        merged(&cards(28), &json!({"survival": "None"})),
        // No pool of that sort: NoMatchingPool is the reconcile's to say.
        json!({"resources": cpu("90000"), "zone": "Dedicated"}),
        json!({"resources": {"accelerators": [{"use": "Video", "count": 90_000}]}}),
        json!({"resources": {"storage": [{"tier": "Hot", "size": "2000Ti"}, {"tier": "Archive", "size": "7Ei"}]}}),
        pools("x86", &cpu("11520")),
        pools("not-there", &cpu("90000")),
    ]
}

fn can_never_fit() -> Vec<(Value, &'static str)> {
    vec![
        (
            json!({"resources": cpu("11520.001")}),
            "spec.resources.cpu: 11520.001 exceeds the largest possible grant 11520 of any pool",
        ),
        (
            json!({"resources": cpu("2305"), "architecture": "arm64"}),
            "spec.resources.cpu: 2305 exceeds the largest possible grant 2304",
        ),
        (
            json!({"resources": cpu("101"), "zone": "InternetFacing"}),
            "spec.resources.cpu: 101 exceeds the largest possible grant 100",
        ),
        (
            json!({"resources": cpu("23041"), "survival": "60%"}),
            "exceeds the largest possible grant 23040",
        ),
        (
            json!({"resources": {"memory": "90Ti"}}),
            "spec.resources.memory: 90Ti exceeds the largest possible grant 90000G",
        ),
        (
            json!({"resources": {"cpu": "3000", "memory": "60Ti"}}),
            "no pool can ever grant cpu 3000 and memory 60Ti together (ExceedsMaxQuota)",
        ),
        (
            cards(15),
            "spec.resources.accelerators[Inference]: 15 exceeds the largest possible grant 14",
        ),
        (
            json!({"resources": {"storage": [{"tier": "Hot", "size": "3Pi"}]}}),
            "spec.resources.storage[Hot]: 3Pi exceeds the largest possible grant 3150T",
        ),
        (
            json!({"resources": {"storage": [{"tier": "Hot", "size": "3Pi"}]}, "survival": "60%"}),
            "spec.resources.storage[Hot]: 3Pi exceeds the largest possible grant 3150T",
        ),
        (
            pools("x86", &cpu("11521")),
            "spec.pools[x86].cpu: 11521 exceeds the largest possible grant 11520 of this pool (ExceedsMaxQuota)",
        ),
        (
            pools("gpu-inference", &json!({"accelerators": 15})),
            "spec.pools[gpu-inference].accelerators: 15 exceeds the largest possible grant 14",
        ),
    ]
}

/// A warning refuses nothing: it is beside what kubectl says.
pub async fn much_memory_is_warned_about(cloud: &Cloud) {
    let li_na = At::hub(cloud, "li.na");
    let asks = [
        (
            json!({"resources": {"cpu": "4", "memory": "33Gi"}}),
            Some("memory 33Gi is more than 8Gi for each of 4 vCPU"),
        ),
        (json!({"resources": {"cpu": "4", "memory": "32Gi"}}), None),
        (
            pools("x86", &json!({"cpu": "2", "memory": "1Ti"})),
            Some("memory 1Ti is more than 8Gi for each of 2 vCPU"),
        ),
        (cards(2), None),
    ];
    for (spec, words) in asks {
        let file = li_na.file(&asking(&spec));
        let args = ["create", "--dry-run=server", "-f", &file];
        let output = cloud.kubectl("hub", Some("li.na"), &args).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        match words {
            Some(words) => assert!(said.contains("Warning:") && said.contains(words), "{said}"),
            None => assert!(!said.contains("Warning:"), "{said}"),
        }
    }
}

pub async fn are_enforced_with_the_numbers(cloud: &Cloud) {
    let li_na = At::hub(cloud, "li.na");
    let wu_gang = At::hub(cloud, "wu.gang");
    let never = repository().join("examples/requests/4-never-fits.yaml");
    let apply = ["apply", "--dry-run=server", "-f", never.to_str().unwrap()];
    // Before anything was published nobody knows: the reconcile decides.
    wu_gang.may(&apply).await;
    At::hub(cloud, "xiangyun:controller").creates(&limits()).await;
    let said = wu_gang.soon_may_not(&apply, "ExceedsMaxQuota").await;
    let words = "spec.resources.cpu: 90000 exceeds the largest possible grant 11520 of any pool (ExceedsMaxQuota); it will never fit | 超过可授予上限，等待也无法满足";
    assert!(said.contains(words), "{said}");
    for spec in fits_or_is_not_known() {
        li_na.could_create(&asking(&spec)).await;
    }
    for (spec, part) in can_never_fit() {
        li_na.cannot_create(&asking(&spec), part).await;
    }
}
