//! `join`: what a member cloud applies in its own cluster, in one stream.

mod manifest;

use std::path::PathBuf;

use crds::{CentreRole, DataCenter, MemberStage, MemberType};
use k8s_openapi::ByteString;
use kube::Api;
use kube::config::Kubeconfig;
use serde_json::json;

use crate::cli::JoinArgs;
use crate::connect::{Hub, within};
use crate::document;
use crate::failure::Failure;
use crate::lang::both;

pub use manifest::manifest;

/// What is printed is made of this; no key is among it.
#[derive(Clone, Debug)]
pub struct Joining {
    /// Name of the member's DataCenter.
    pub name: String,
    /// For which stage.
    pub stage: MemberStage,
    /// Address of the hub.
    pub hub: String,
    /// Certificate of the hub's authority, PEM.
    pub ca: String,
    /// Image of the agent; that of the chart if not given.
    pub image: Option<String>,
}

/// Reads the DataCenter, and from the kubeconfig what every client of the hub knows: its address and its authority.
///
/// # Errors
/// It is no member cloud, or the kubeconfig does not say what is needed.
pub async fn joining(
    hub: &Hub,
    kubeconfig: (Option<PathBuf>, Option<String>),
    asked: JoinArgs,
) -> Result<Joining, Failure> {
    let name = asked.name.strip_prefix("dcn/").unwrap_or(&asked.name).to_owned();
    let found = within(Api::<DataCenter>::all(hub.client.clone()).get(&name)).await?;
    let stage = stage(&name, &found, asked.stage.map(Into::into))?;
    let (address, ca) = match (asked.hub, asked.ca_file) {
        (Some(address), Some(file)) => (address, document::read(&file)?),
        (address, file) => {
            let known = cluster(kubeconfig)?;
            let ca = file.map_or_else(|| known.1.ok_or_else(no_authority), |file| document::read(&file))?;
            (address.or(known.0).ok_or_else(no_address)?, ca)
        }
    };
    if !address.starts_with("https://") {
        return Err(no_address());
    }
    // Whatever is read there is printed: a key must not be.
    if !ca.contains("BEGIN CERTIFICATE") || ca.contains("PRIVATE KEY") {
        return Err(no_authority());
    }
    Ok(Joining {
        name,
        stage,
        hub: address,
        ca,
        image: asked.image,
    })
}

/// The stage to print for.
///
/// # Errors
/// It is no member cloud, or one that is only listed.
pub fn stage(name: &str, found: &DataCenter, asked: Option<MemberStage>) -> Result<MemberStage, Failure> {
    let Some(member) = found
        .spec
        .member
        .as_ref()
        .filter(|_| found.spec.role == CentreRole::Member)
    else {
        let role = found.spec.role;
        return Err(Failure::Refused(both(
            format!("dcn/{name} has role {role:?}; only a DataCenter of role Member joins; centres use charts/agent"),
            format!("dcn/{name} 的角色为 {role:?}，仅 Member 角色可接入；省级中心请使用 charts/agent"),
        )));
    };
    let stage = asked.unwrap_or(member.stage);
    if member.type_ == MemberType::DataCenter && stage != MemberStage::Observed {
        return Err(Failure::Refused(both(
            format!("dcn/{name} is of type DataCenter, which is listed and stays Observed; {stage:?} is for clouds"),
            format!("dcn/{name} 类型为 DataCenter，仅登记容量，不能为 {stage:?}"),
        )));
    }
    Ok(stage)
}

fn no_address() -> Failure {
    Failure::Usage(both(
        "the kubeconfig has no https address of the hub; give --hub https://…",
        "kubeconfig 中没有 https 地址，请用 --hub https://… 指定",
    ))
}

fn no_authority() -> Failure {
    Failure::Usage(both(
        "no certificate of the hub's authority; give --ca-file with certificates and no key",
        "没有枢纽的 CA 证书，请用 --ca-file 指定仅含证书的文件",
    ))
}

/// Address and authority of the context's cluster.
fn cluster((file, context): (Option<PathBuf>, Option<String>)) -> Result<(Option<String>, Option<String>), Failure> {
    let read = match file {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let read =
        read.map_err(|e| Failure::Unreachable(both(format!("kubeconfig: {e}"), format!("kubeconfig 不可用：{e}"))))?;
    let context = context.or(read.current_context);
    let named = read.contexts.into_iter().find(|c| Some(&c.name) == context.as_ref());
    let cluster = named.and_then(|c| c.context).map(|c| c.cluster);
    let found = read.clusters.into_iter().find(|c| Some(&c.name) == cluster.as_ref());
    let Some(found) = found.and_then(|c| c.cluster) else {
        return Ok((None, None));
    };
    let text = |data: String| {
        let bytes: ByteString = serde_json::from_value(json!(data)).ok()?;
        String::from_utf8(bytes.0).ok()
    };
    let ca = match (found.certificate_authority_data, found.certificate_authority) {
        (Some(data), _) => text(data),
        (None, Some(path)) => Some(document::read(path.as_ref())?),
        (None, None) => None,
    };
    Ok((found.server, ca))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn centre(role: &str) -> DataCenter {
        let spec = format!(r#"{{"displayName": "x", "operator": "x", {role}}}"#);
        DataCenter::new("yanbian", serde_json::from_str(&spec).unwrap())
    }

    #[test]
    fn only_a_member_joins() {
        let primary = centre(r#""role": "Primary""#);
        let refused = stage("yanbian", &primary, None).unwrap_err();
        assert_eq!(refused.code(), 1);
        assert!(refused.to_string().contains("has role Primary"));
        let city = centre(r#""role": "Member", "member": {"type": "City", "stage": "Advised"}"#);
        assert_eq!(stage("yanbian", &city, None).unwrap(), MemberStage::Advised);
        assert_eq!(
            stage("yanbian", &city, Some(MemberStage::Observed)).unwrap(),
            MemberStage::Observed
        );
        let listed = centre(r#""role": "Member", "member": {"type": "DataCenter"}"#);
        assert!(stage("yanbian", &listed, Some(MemberStage::Scheduled)).is_err());
    }
}
