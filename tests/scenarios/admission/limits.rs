//! What can never fit is refused while it is applied, with the numbers, once the operator has published its limits.

use playground::Cloud;
use serde_json::{Value, json};
use tests::repository;

use crate::kubectl::At;
use crate::{merged, valid};

/// The limits of `examples/10-pools.yaml`, and a small pool of another zone.
fn limits() -> Value {
    let row = |name: &str, kind: &str, more: Value, whole: Value, shared: Value| {
        let none = json!({"cpu": 0, "memory": 0, "storage": 0, "accelerators": 0});
        let all = merged(
            &json!({"name": name, "kind": kind, "zone": "GovExtranet",
                "whole": merged(&none, &whole), "shared": merged(&none, &shared)}),
            &more,
        );
        // Two centres alike: what lives in one has what each could hold alone.
        let one = |centre| merged(&all, &json!({"centre": centre, "shared": merged(&none, &whole)}));
        [all.clone(), one("jishi"), one("jiyidong")]
    };
    let compute = |architecture| json!({ "architecture": architecture });
    let pools = [
        row(
            "x86",
            "Compute",
            compute("amd64"),
            json!({"cpu": 11_520_000, "memory": 48_600_000_000_000_i64}),
            json!({"cpu": 23_040_000, "memory": 97_200_000_000_000_i64}),
        ),
        row(
            "arm",
            "Compute",
            compute("arm64"),
            json!({"cpu": 2_304_000, "memory": 90_000_000_000_000_i64}),
            json!({"cpu": 4_608_000, "memory": 180_000_000_000_000_i64}),
        ),
        row(
            "dmz",
            "Compute",
            json!({"architecture": "amd64", "zone": "InternetFacing"}),
            json!({"cpu": 100_000, "memory": 400_i64 << 30}),
            json!({"cpu": 200_000, "memory": 800_i64 << 30}),
        ),
        row(
            "gpu-inference",
            "Accelerator",
            json!({"architecture": "amd64", "use": "Inference"}),
            json!({"cpu": 194_000, "memory": 972_000_000_000_i64, "accelerators": 14}),
            json!({"cpu": 388_000, "memory": 1_944_000_000_000_i64, "accelerators": 28}),
        ),
        // It is copied, or lies in one centre: no survival lets more in.
        row(
            "storage-hot",
            "Storage",
            json!({"tier": "Hot"}),
            json!({"storage": 3_150_000_000_000_000_i64}),
            json!({"storage": 3_150_000_000_000_000_i64}),
        ),
    ];
    let pools = pools.concat();
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
        json!({"resources": cpu("19200"), "survival": "60%"}),
        json!({"resources": cpu("23040"), "survival": "50%"}),
        json!({"resources": cpu("11520"), "survival": "None", "centre": "jishi"}),
        json!({"resources": cpu("100"), "zone": "InternetFacing"}),
        cards(14),
        merged(&cards(28), &json!({"survival": "50%"})),
        // What a change gives back fits whatever the pool has by now.
        json!({"type": "Change", "allocationRef": {"name": "r"}, "project": null, "compliance": null, "term": null,
            "resources": cpu("90000")}),
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
            json!({"resources": cpu("19201"), "survival": "60%"}),
            "spec.resources.cpu: 19201 exceeds the largest possible grant 19200 of any pool",
        ),
        (
            json!({"resources": cpu("23041"), "survival": "30%"}),
            "exceeds the largest possible grant 23040",
        ),
        (
            json!({"resources": cpu("11521"), "survival": "None"}),
            "exceeds the largest possible grant 11520",
        ),
        (
            json!({"resources": {"memory": "90Ti"}}),
            "spec.resources.memory: 90Ti exceeds the largest possible grant 90T",
        ),
        (
            json!({"resources": {"cpu": "3000", "memory": "60Ti"}}),
            "no pool can ever grant cpu 3000 and memory 60Ti together (ExceedsMaxQuota)",
        ),
        (
            merged(&cards(15), &json!({"survival": "None"})),
            "spec.resources.accelerators[Inference]: 15 exceeds the largest possible grant 14",
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
