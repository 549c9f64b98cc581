//! The condition Idle in words: numbers first, the next step last.

use crds::{Appeal, PoolAmounts, Reclaim, ReclaimStage, ReclaimStep, Resources, reclaim_reason as reason};

use super::judge::{Judgement, Verdict};
use crate::request::Request;

/// Status, reason and text of the condition.
pub(super) struct Words {
    pub(super) idle: Option<bool>,
    pub(super) why: &'static str,
    pub(super) text: String,
}

pub(super) fn say(
    judgement: Option<&Judgement<'_>>,
    reclaim: Option<&Reclaim>,
    request: &Request,
    holds: &[PoolAmounts],
) -> Words {
    match reclaim {
        Some(reclaim) => on_its_way(judgement, reclaim, request, holds),
        None => judged(judgement, holds),
    }
}

fn sum(amounts: &[PoolAmounts]) -> Resources {
    let read = |p: &PoolAmounts| Resources::try_from(&p.amounts).ok();
    amounts.iter().filter_map(read).fold(Resources::ZERO, Resources::plus)
}

fn cpu(amounts: &[PoolAmounts]) -> String {
    Resources::amount("cpu", sum(amounts).cpu).0
}

fn memory(amounts: &[PoolAmounts]) -> String {
    Resources::amount("memory", sum(amounts).memory).0
}

/// `CPU P95 4% of 64, memory 11% of 256Gi, for 30d`, in both languages.
fn figures(judgement: Option<&Judgement<'_>>, holds: &[PoolAmounts]) -> (String, String) {
    let known = judgement.and_then(|j| Some((j.percent?, j.policy.window.as_str())));
    let Some(((c, m), window)) = known else {
        return ("its use is not known now".to_owned(), "当前利用率未知".to_owned());
    };
    let (of_cpu, of_memory) = (cpu(holds), memory(holds));
    (
        format!("CPU P95 {c}% of {of_cpu}, memory P95 {m}% of {of_memory}, for {window}"),
        format!("{window} 内 CPU P95 为 {of_cpu} 核的 {c}%，内存 P95 为 {of_memory} 的 {m}%"),
    )
}

/// What a notice says will happen.
fn will(reclaim: &Reclaim) -> (String, String) {
    let on = reclaim.day.as_deref().unwrap_or("-");
    let (to, to_memory) = (cpu(&reclaim.to), memory(&reclaim.to));
    match reclaim.step {
        ReclaimStep::Shrink => (
            format!("shrinks to {to} vCPU and {to_memory} on {on}"),
            format!("{on} 缩至 {to} 核、{to_memory}"),
        ),
        ReclaimStep::Release => (format!("is given back on {on}"), format!("{on} 收回")),
    }
}

fn on_its_way(judgement: Option<&Judgement<'_>>, reclaim: &Reclaim, request: &Request, holds: &[PoolAmounts]) -> Words {
    let (en, zh) = figures(judgement, holds);
    let name = request.name();
    let (to, to_memory) = (cpu(&reclaim.to), memory(&reclaim.to));
    let (will, will_zh) = will(reclaim);
    // What was idle goes on its way; that it is idle now is only said where it is known.
    let known = judgement.is_some_and(|j| !matches!(j.verdict, Verdict::Unknown(..)));
    let busy = judgement.is_some_and(|j| matches!(j.verdict, Verdict::Busy(_)));
    let (idle, why, text) = match reclaim.stage {
        ReclaimStage::Observed => (
            known.then_some(true),
            reason::OBSERVED,
            format!(
                "{en}; it could shrink to {to} vCPU and {to_memory}: ask with type Change | {zh}；可提交 Change 缩至 {to} 核、{to_memory}"
            ),
        ),
        ReclaimStage::Notified => (
            known.then_some(true),
            reason::NOTIFIED,
            format!("{en}; {will} unless: kubectl xiangyun keep rreq/{name} --reason ... | {zh}，{will_zh}，可申诉"),
        ),
        ReclaimStage::Due => (
            known.then_some(true),
            reason::DUE,
            format!(
                "last days: {en}; {will} unless: kubectl xiangyun keep rreq/{name} --reason ... | 宽限期内：{zh}，{will_zh}，可申诉"
            ),
        ),
        ReclaimStage::Appealed => {
            let Appeal { by, reason: why, until, .. } = reclaim.appeal.clone().unwrap_or_default();
            let text = format!(
                "{en}; kept by {by}: {why}; nothing is taken until {until} | {zh}；{by} 申诉：{why}，{until} 前不回收"
            );
            (known.then_some(true), reason::APPEALED, text)
        }
        ReclaimStage::Shrunk => (
            busy.then_some(false),
            reason::SHRUNK,
            format!(
                "shrunk to {to} vCPU and {to_memory} because it was idle; ask for more with type Change | 因闲置已缩至 {to} 核、{to_memory}，如需扩容请提交 Change"
            ),
        ),
        ReclaimStage::Released => (
            Some(false),
            reason::RECLAIMED,
            "given back because it stayed idle; data and workloads were not deleted; ask again with type New | 因持续闲置已收回，数据与工作负载未删除，如需使用请新建申请".to_owned(),
        ),
    };
    Words { idle, why, text }
}

fn judged(judgement: Option<&Judgement<'_>>, holds: &[PoolAmounts]) -> Words {
    let (en, zh) = figures(judgement, holds);
    let Some(judgement) = judgement else {
        return Words {
            idle: None,
            why: reason::NO_POLICY,
            text: "no policy covers it | 无适用的回收策略".to_owned(),
        };
    };
    let policy = &judgement.policy.name;
    let (idle, why, text) = match &judgement.verdict {
        // The next pass puts it on its way.
        Verdict::Idle(_) => (Some(true), reason::OBSERVED, format!("{en} | {zh}")),
        Verdict::Busy(why) if *why == reason::IN_USE => (Some(false), *why, format!("{en}: in use | {zh}：在用")),
        Verdict::Busy(why) if *why == reason::EXEMPT => (
            Some(false),
            *why,
            format!(
                "exempt from {policy}: standby, emergency, trial or cards are never idle | 豁免于 {policy}：灾备、应急、试用与加速卡配额不判闲置"
            ),
        ),
        Verdict::Busy(why) => (
            Some(false),
            *why,
            format!("{en}; it is as small as it may become | {zh}；已无可缩减"),
        ),
        Verdict::Unknown(why, Some(centre)) => (
            None,
            *why,
            format!(
                "{centre} has no figures over {}; unknown is never idle: see its metricSources and agent | {centre} 无 {} 内的指标，未知不判闲置，请检查其 metricSources 与代理",
                judgement.policy.window, judgement.policy.window
            ),
        ),
        Verdict::Unknown(why, None) => (
            None,
            *why,
            format!(
                "what the tenant holds of this pool changed within {}; it is judged once that is over | 近 {} 内配额有变化，期满后判定",
                judgement.policy.window, judgement.policy.window
            ),
        ),
    };
    Words { idle, why, text }
}
