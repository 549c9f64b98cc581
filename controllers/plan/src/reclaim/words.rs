//! The condition Idle in words: numbers first, the next step last.

use crds::{Appeal, PoolAmounts, Reclaim, ReclaimStage, ReclaimStep, RequestType, Resources, reclaim_reason as reason};

use super::judge::{Exempt, Judgement, Most, Verdict};
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

/// Pools of vCPU and memory among them.
fn compute(amounts: &[PoolAmounts]) -> Vec<(&str, Resources)> {
    let read = |p: &PoolAmounts| Resources::try_from(&p.amounts).unwrap_or_default();
    let all = amounts.iter().map(|p| (p.pool.as_str(), read(p)));
    all.filter(|(_, n)| n.cpu > 0 || n.memory > 0).collect()
}

/// `16 vCPU and 64Gi`, in both languages; of several pools each with its name.
fn sizes(amounts: &[PoolAmounts]) -> (String, String) {
    let all = compute(amounts);
    let several = all.len() > 1;
    let (mut en, mut zh) = (Vec::new(), Vec::new());
    for (pool, n) in all {
        let (cpu, memory) = (
            Resources::amount("cpu", n.cpu).0,
            Resources::amount("memory", n.memory).0,
        );
        let (place, place_zh) = if several {
            (format!(" in {pool}"), format!("{pool} "))
        } else {
            Default::default()
        };
        en.push(format!("{cpu} vCPU and {memory}{place}"));
        zh.push(format!("{place_zh}{cpu} 核、{memory}"));
    }
    (en.join(", "), zh.join("，"))
}

/// `CPU P95 4% of 64, memory P95 11% of 256Gi, for 30d`, in both languages; of several pools those that are used most, by name.
fn figures(judgement: Option<&Judgement<'_>>, holds: &[PoolAmounts]) -> (String, String) {
    let known = judgement.and_then(|j| Some((j.busiest.as_ref()?, j.policy.window.as_str())));
    let Some(((cpu, memory), window)) = known else {
        return ("its use is not known now".to_owned(), "当前利用率未知".to_owned());
    };
    let held = compute(holds);
    let of = |most: &Most, resource: &str| {
        let n = held.iter().find(|(pool, _)| **pool == *most.pool);
        Resources::amount(resource, n.map_or(0, |(_, n)| n[resource])).0
    };
    let (of_cpu, of_memory) = (of(cpu, "cpu"), of(memory, "memory"));
    let (c, m) = (cpu.percent, memory.percent);
    if held.len() > 1 {
        let (on, there) = (&cpu.pool, &memory.pool);
        return (
            format!("CPU P95 {c}% of {of_cpu} in {on}, memory P95 {m}% of {of_memory} in {there}, for {window}"),
            format!("{window} 内 CPU P95 为 {on} {of_cpu} 核的 {c}%，内存 P95 为 {there} {of_memory} 的 {m}%"),
        );
    }
    (
        format!("CPU P95 {c}% of {of_cpu}, memory P95 {m}% of {of_memory}, for {window}"),
        format!("{window} 内 CPU P95 为 {of_cpu} 核的 {c}%，内存 P95 为 {of_memory} 的 {m}%"),
    )
}

/// What its owner can do about a proposal.
fn could(reclaim: &Reclaim, holds: &[PoolAmounts]) -> (String, String) {
    if reclaim.to == holds {
        return (
            "nothing is requested there: give it back with type Release".to_owned(),
            "无负载申请资源，可提交 Release 归还".to_owned(),
        );
    }
    let (to, zh) = sizes(&reclaim.to);
    (
        format!("it could shrink to {to}: ask with type Change"),
        format!("可提交 Change 缩至 {zh}"),
    )
}

/// What a notice says will happen.
fn will(reclaim: &Reclaim) -> (String, String) {
    let on = reclaim.day.as_deref().unwrap_or("-");
    let (to, zh) = sizes(&reclaim.to);
    match reclaim.step {
        ReclaimStep::Shrink => (format!("shrinks to {to} on {on}"), format!("{on} 缩至 {zh}")),
        ReclaimStep::Release => (format!("is given back on {on}"), format!("{on} 收回")),
    }
}

fn on_its_way(judgement: Option<&Judgement<'_>>, reclaim: &Reclaim, request: &Request, holds: &[PoolAmounts]) -> Words {
    let (en, zh) = figures(judgement, holds);
    let name = request.name();
    let (to, to_zh) = sizes(&reclaim.to);
    let (will, will_zh) = will(reclaim);
    let (could, could_zh) = could(reclaim, holds);
    // What was idle goes on its way; that it is idle now is only said where it is known.
    let known = judgement.is_some_and(|j| !matches!(j.verdict, Verdict::Unknown(..)));
    let busy = judgement.is_some_and(|j| matches!(j.verdict, Verdict::Busy(_) | Verdict::Exempt(_)));
    let (idle, why, text) = match reclaim.stage {
        ReclaimStage::Observed => (
            known.then_some(true),
            reason::OBSERVED,
            format!("{en}; {could} | {zh}；{could_zh}"),
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
                "shrunk to {to} because it was idle; ask for more with type Change | 因闲置已缩至 {to_zh}，如需扩容请提交 Change"
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
    let (idle, why, text) = match &judgement.verdict {
        // The next pass puts it on its way.
        Verdict::Idle(_) => (Some(true), reason::OBSERVED, format!("{en} | {zh}")),
        Verdict::Busy(why) if *why == reason::IN_USE => (Some(false), *why, format!("{en}: in use | {zh}：在用")),
        Verdict::Exempt(why) => (Some(false), reason::EXEMPT, exempt(&judgement.policy.name, *why)),
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

/// Why it is never idle by that policy.
fn exempt(policy: &str, why: Exempt) -> String {
    let (en, zh) = match why {
        Exempt::Type(RequestType::Trial) => ("it is a trial", "试用配额"),
        Exempt::Type(_) => ("it is for an emergency", "应急配额"),
        Exempt::Cards => ("it holds cards, whose use is not measured", "含加速卡，其用量不计量"),
        Exempt::NotMeasured => (
            "it holds no vCPU and memory of pools that the policy is about",
            "不含该策略适用资源池的 CPU 与内存",
        ),
        Exempt::Standby => ("what it holds is standby", "所持均为灾备容量"),
    };
    format!("exempt from {policy}: {en} | 豁免于 {policy}：{zh}")
}

#[cfg(test)]
mod tests;
