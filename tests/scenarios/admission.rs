//! What real API servers say to good and bad objects and to people and programs: the same examples as the offline test
//! of the CEL rules, the limits of the schemas, the files in `examples/`, the shipped roles and admission policies.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "an assumption that fails is a test that fails"
)]

use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use playground::{Cloud, Options};
use serde_json::{Value, json};
use tests::repository;

#[macro_use]
#[path = "main_job/steps.rs"]
mod steps;

#[path = "../../crds/tests/rules/examples.rs"]
mod examples;
use examples::{Example, merged};

#[path = "admission/centres.rs"]
mod centres;
#[path = "admission/kubectl.rs"]
mod kubectl;
#[path = "admission/limits.rs"]
mod limits;
#[path = "admission/moves.rs"]
mod moves;
#[path = "admission/people.rs"]
mod people;
#[path = "admission/rights.rs"]
mod rights;

#[tokio::test(flavor = "multi_thread")]
async fn admission() -> anyhow::Result<()> {
    let options = Options {
        operators: false,
        ..Options::default()
    };
    steps!(
        Cloud::up(options).await?,
        people::tenant_namespaces,
        self::every_rule_acts,
        self::limits_of_the_schemas_act,
        self::unknown_fields_are_refused_by_strict_clients,
        self::shipped_examples_are_what_they_say,
        rights::are_exact,
        people::requests_are_stamped,
        people::departments_keep_to_their_own,
        people::two_people_decide,
        people::self_approval_example_is_refused,
        moves::are_asked_for_by_people,
        moves::nobody_confirms_their_own,
        centres::agents_write_their_own_rows,
        people::live_grants_stay,
        limits::are_enforced_with_the_numbers,
        limits::much_memory_is_warned_about,
        centres::agents_reach_tenants_only,
        centres::the_service_account_is_the_agent,
        centres::pods_keep_to_their_pool,
    )
}

fn dry() -> PostParams {
    PostParams {
        dry_run: true,
        ..PostParams::default()
    }
}

/// An object of that kind that every rule accepts.
fn valid(plural: &str) -> Value {
    let examples = examples::read(plural);
    examples
        .into_iter()
        .flat_map(|example| example.accepted)
        .next()
        .unwrap()
}

/// The interface for the kind and namespace of `object`.
fn api(client: &Client, object: &Value) -> Api<DynamicObject> {
    let kind = object["kind"].as_str().unwrap();
    let names = crds::all()
        .into_iter()
        .map(|crd| crd.spec.names)
        .find(|names| names.kind == kind)
        .unwrap();
    let resource =
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("xiangyun.io", "v1alpha1", kind), &names.plural);
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

fn typed(object: &Value) -> DynamicObject {
    serde_json::from_value(object.clone()).unwrap()
}

/// `Err` is what the server said.
async fn dry_create(client: &Client, object: &Value) -> Result<(), String> {
    let created = api(client, object).create(&dry(), &typed(object)).await;
    created.map(drop).map_err(|e| e.to_string())
}

/// An update of the stored object to `object`, of the status alone where the examples are about the status.
async fn dry_update(client: &Client, stored: &DynamicObject, object: &Value) -> Result<(), String> {
    let api = api(client, object);
    let name = stored.metadata.name.as_deref().unwrap();
    let mut next = typed(object);
    next.metadata.name.clone_from(&stored.metadata.name);
    next.metadata
        .resource_version
        .clone_from(&stored.metadata.resource_version);
    next.metadata.finalizers.clone_from(&stored.metadata.finalizers);
    let replaced = if object.get("status").is_some() {
        api.replace_status(name, &dry(), &next).await
    } else {
        api.replace(name, &dry(), &next).await
    };
    replaced.map(drop).map_err(|e| e.to_string())
}

/// Stores the object that an update starts from, under a name of its own.
async fn store(client: &Client, old: &Value, number: usize) -> DynamicObject {
    let api = api(client, old);
    let mut object = typed(old);
    if old["kind"] == "PlaceableKind" {
        // Its name follows from its content: examples share one object, which no dry run changes.
        let name = object.metadata.name.as_deref().unwrap_or_default();
        if let Some(stored) = api.get_opt(name).await.unwrap() {
            return stored;
        }
    } else {
        object.metadata.name = object.metadata.name.map(|name| format!("{name}-stored-{number}"));
    }
    let stored = api.create(&PostParams::default(), &object).await.unwrap();
    let Some(status) = old.get("status") else {
        return stored;
    };
    let name = stored.metadata.name.as_deref().unwrap();
    let patch = Patch::Merge(json!({ "status": status }));
    api.patch_status(name, &PatchParams::default(), &patch).await.unwrap()
}

async fn check(client: &Client, example: &Example, number: usize) {
    let stored = match &example.old {
        Some(old) => Some(store(client, old, number).await),
        None => None,
    };
    let judge = async |object: &Value| match &stored {
        Some(stored) => dry_update(client, stored, object).await,
        None => dry_create(client, object).await,
    };
    for object in &example.accepted {
        if let Err(said) = judge(object).await {
            panic!("{:?}: {object:#}\nwas refused: {said}", example.rule);
        }
    }
    for object in &example.refused {
        let said = judge(object).await.expect_err(&example.rule);
        assert!(
            said.contains(&example.rule),
            "{:?}: {object:#}\nwas refused otherwise: {said}",
            example.rule
        );
    }
}

async fn every_rule_acts(cloud: &Cloud) {
    let client = cloud.client("hub", None).await.unwrap();
    let mut seen = 0;
    for crd in crds::all() {
        for (number, example) in examples::read(&crd.spec.names.plural).iter().enumerate() {
            check(&client, example, number).await;
            seen += example.refused.len();
        }
    }
    assert!(seen > 60, "only {seen} refused examples");
}

async fn limits_of_the_schemas_act(cloud: &Cloud) {
    let client = cloud.client("hub", None).await.unwrap();
    let request = valid("resourcerequests");
    let accepted = [
        json!({"displayName": "医".repeat(60)}),
        json!({"displayName": "医".repeat(64)}),
        json!({"displayName": "🀄".repeat(64)}),
        json!({"term": {"months": 120}}),
        json!({"survival": "99%"}),
    ];
    for spec in accepted {
        let said = dry_create(&client, &merged(&request, &json!({ "spec": spec }))).await;
        assert_eq!(said, Ok(()), "{spec}");
    }
    let twice = json!({"name": "x86", "amounts": {"cpu": "1", "memory": "1Gi"}});
    let cards = json!({"use": "Inference", "count": 1});
    let refused = [
        (json!({"displayName": "医".repeat(65)}), "64"),
        (json!({"displayName": ""}), "spec.displayName"),
        (json!({"resources": null, "pools": [twice, twice]}), "Duplicate value"),
        (json!({"resources": null, "pools": []}), "spec.pools"),
        (
            json!({"resources": {"accelerators": [cards, cards]}}),
            "Duplicate value",
        ),
        (
            json!({"resources": {"accelerators": [{"use": "Inference", "count": 0}]}}),
            "greater than or equal to 1",
        ),
        (
            json!({"resources": {"accelerators": [{"use": "Inference", "count": 1.5}]}}),
            "integer",
        ),
        (
            json!({"resources": {"accelerators": [{"use": "Mining", "count": 1}]}}),
            "Unsupported value",
        ),
        (json!({"resources": {"cpu": "1".repeat(25)}}), "24"),
        (json!({"resources": {"cpu": 0.5}}), "spec.resources.cpu"),
        (json!({"compliance": {"mlpsLevel": 0}}), "spec.compliance.mlpsLevel"),
        (
            json!({"compliance": {"classified": null}}),
            "spec.compliance.classified",
        ),
        (json!({"term": {"months": 0}}), "spec.term.months"),
        (json!({"term": {"months": 121}}), "spec.term.months"),
        (json!({"survival": "100%"}), "spec.survival"),
        (json!({"survival": "0%"}), "spec.survival"),
        (json!({"priority": 101}), "spec.priority"),
        (json!({"type": "Migration"}), "Unsupported value"),
    ];
    for (spec, part) in refused {
        let said = dry_create(&client, &merged(&request, &json!({ "spec": spec })))
            .await
            .expect_err(part);
        assert!(said.contains(part), "{spec} was refused otherwise: {said}");
    }
}

/// Structural schemas prune what they do not know; only the client's strictness turns a typing error into a refusal.
async fn unknown_fields_are_refused_by_strict_clients(cloud: &Cloud) {
    let request = merged(&valid("resourcerequests"), &json!({"spec": {"resources": {"gpus": 2}}}));
    let file = cloud.dir().join("unknown-field.json");
    std::fs::write(&file, request.to_string()).unwrap();
    let said = apply(cloud, Some("li.na"), &file).await.unwrap_err();
    assert!(said.contains("unknown field \"spec.resources.gpus\""), "{said}");
}

async fn apply(cloud: &Cloud, user: Option<&str>, file: &std::path::Path) -> Result<(), String> {
    let at = kubectl::At {
        cloud,
        cluster: "hub",
        user,
    };
    let args = [
        "apply",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        file.to_str().unwrap(),
    ];
    at.says(&args).await.map(drop)
}

/// Applied by the people who would; the platform's files are stored, because the later steps need them.
async fn shipped_examples_are_what_they_say(cloud: &Cloud) {
    let folder = repository().join("examples");
    let platform = kubectl::At::hub(cloud, "zhao.min");
    for file in [
        "00-centres",
        "10-pools",
        "20-tenants",
        "30-phases",
        "40-reclaim",
        "60-kinds",
    ] {
        let file = folder.join(format!("{file}.yaml"));
        platform
            .may(&["apply", "--validate=strict", "-f", file.to_str().unwrap()])
            .await;
    }
    let requests = folder.join("requests");
    for (user, file) in [
        ("li.na", "requests/1-granted"),
        ("li.na", "requests/2-two-pools"),
        ("wu.gang", "requests/3a-train-base"),
        ("wu.gang", "requests/3b-train-lab"),
        ("li.na", "requests/8-release"),
        ("li.na", "life/1-change"),
        ("li.na", "life/2-renew"),
        ("li.na", "life/3-trial"),
        ("li.na", "life/4-emergency"),
        ("li.na", "life/5-exception"),
    ] {
        let said = apply(cloud, Some(user), &folder.join(format!("{file}.yaml"))).await;
        assert_eq!(said, Ok(()), "{file}");
    }
    for (file, part) in [
        ("6-classified", "classified systems are not admitted"),
        ("7-mlps4", "MLPS level 4 or above"),
    ] {
        let said = apply(cloud, Some("li.na"), &requests.join(format!("{file}.yaml"))).await;
        let said = said.expect_err(part);
        assert!(said.contains(part), "{file}: {said}");
    }
}
