//! What helps where a version, an override or a processor stands in the way.

use crds::{DualActivePlacement, placement_reason as reason};
use plan::centre::catalogue::Catalogue;

use crate::lang::both;

/// The ways on, `English | 中文`; none for other reasons.
pub(super) fn ways(placement: &DualActivePlacement, why: &str, catalogue: Option<&Catalogue>) -> Vec<String> {
    let name = placement.metadata.name.as_deref().unwrap_or_default();
    match why {
        reason::ROLLOUT_PAUSED => vec![both(
            format!(
                "go on: kubectl patch dap {name} --type=merge -p '{{\"spec\":{{\"rollout\":{{\"paused\":false}}}}}}'"
            ),
            format!(
                "继续升级：kubectl patch dap {name} --type=merge -p '{{\"spec\":{{\"rollout\":{{\"paused\":false}}}}}}'"
            ),
        )],
        reason::ROLLOUT_STOPPED => vec![
            both("correct the template: that is a new version", "修正模板，即为新版本"),
            both("put the template back as it was", "恢复原模板"),
            both(
                "set rollout.onFailure: Return, and the centres go back by themselves",
                "设置 rollout.onFailure: Return 自动退回",
            ),
        ],
        reason::ROLLOUT_RETURNED => vec![both(
            "correct the template: that is a new version",
            "修正模板，即为新版本",
        )],
        reason::ARCHITECTURE_MISMATCH => other_pools(placement, catalogue),
        _ => Vec::new(),
    }
}

/// Compute pools of other processors than the placement's own has.
fn other_pools(placement: &DualActivePlacement, catalogue: Option<&Catalogue>) -> Vec<String> {
    let Some(catalogue) = catalogue else { return Vec::new() };
    let own = catalogue.get(&placement.spec.pool).and_then(|p| p.architecture);
    let others = catalogue
        .iter()
        .filter_map(|(name, facts)| Some((name, facts.architecture.filter(|a| Some(*a) != own)?)));
    others
        .map(|(pool, architecture)| {
            both(
                format!("pool {pool} has {architecture}: another placement with that pool, and a grant in it"),
                format!("资源池 {pool} 为 {architecture}：可申请其配额并另建部署"),
            )
        })
        .collect()
}
