//! The six layers of a placement (存储 计算 应用 网络 安全 传输), and whether every centre of it really serves. What nobody
//! measures is unknown, and so is what a silent centre would have to say.

use std::collections::BTreeMap;

use crds::{
    Assignment, CentreAssignment, DualActivePlacement, DualActivePlacementStatus, Layer, LayerName, LayerState,
    PlacementMode, PlacementRow, PoolCapacity, Resources, centre_reason, condition, placement_reason as reason,
};
use jiff::Timestamp;

use super::decide::{Centre, Decision};
use super::message::of_centre;
use super::one_sided::{self, Traffic};
use super::status::{Said, say};

/// A state, a reason and words.
type Found = (LayerState, &'static str, String);

/// What is looked at.
struct Look<'a> {
    pool: &'a str,
    decision: &'a Decision,
    assignment: &'a Assignment,
    rows: &'a [PlacementRow],
    centres: &'a BTreeMap<String, Centre>,
}

/// Writes the layers and the conditions about serving into the status; nothing is said before anything is placed.
pub fn describe(
    placement: &DualActivePlacement,
    decision: &Decision,
    centres: &BTreeMap<String, Centre>,
    status: &mut DualActivePlacementStatus,
    now: Timestamp,
) {
    let placed = decision.assignment.as_ref();
    let placed = placed.filter(|a| a.leaving.is_none() && !a.centres.is_empty());
    let look = placed.map(|assignment| Look {
        pool: &placement.spec.pool,
        decision,
        assignment,
        rows: &status.centres,
        centres,
    });
    let found = look.iter().flat_map(Look::layers);
    let layer = |(name, (state, why, message)): (LayerName, Found)| {
        let before = status.layers.iter().find(|l| l.name == name && l.state == state);
        let since = before.map_or_else(|| now.to_string(), |l| l.since.clone());
        Layer {
            name,
            state,
            reason: why.to_owned(),
            message,
            since,
        }
    };
    let layers = found.map(layer).collect();
    let both = |_: &&Look<'_>| placement.spec.mode == PlacementMode::ActiveActive;
    let serves = look.as_ref().filter(both).map(Look::serves);
    let restarts = look.as_ref().and_then(|_| restarts(decision));
    status.layers = layers;
    let generation = placement.metadata.generation;
    say(status, condition::EFFECTIVELY_ACTIVE_ACTIVE, serves, generation, now);
    say(status, condition::RESTART_ONLY, restarts, generation, now);
}

/// What holds devices of its node.
fn restarts(decision: &Decision) -> Option<Said> {
    let devices = decision.devices.iter();
    let devices: Vec<String> = devices.map(ToString::to_string).collect();
    let all = devices.join(", ");
    let message = format!(
        "{all}: pods hold devices of their node; in another place they start anew, nothing moves with them | {all}：容器组独占节点设备，切换时只能重启，不能迁移"
    );
    (!devices.is_empty()).then_some((Some(true), reason::PASSTHROUGH_DEVICES, message))
}

/// Ready nodes of a pool; none where all of them are cordoned, because no copy could start there.
pub fn usable(pool: &PoolCapacity) -> i64 {
    let parts = std::iter::once(&pool.allocatable).chain(pool.phases.iter().map(|p| &p.allocatable));
    let some = |amounts| Resources::try_from(amounts).is_ok_and(|r: Resources| r != Resources::ZERO);
    if parts.into_iter().any(some) {
        pool.ready_nodes
    } else {
        0
    }
}

/// Copies that were divided to a centre.
fn assigned(centre: &CentreAssignment) -> i64 {
    centre.copies.iter().map(|w| w.copies).sum()
}

/// Whether copies are divided and the centre gets none.
fn none_given(centre: &CentreAssignment) -> bool {
    !centre.copies.is_empty() && assigned(centre) == 0
}

fn not_measured(what: &str, zh: &str) -> Found {
    let message = format!("nobody measures {what} yet | {zh}尚未监测");
    (LayerState::Unknown, reason::NOT_MEASURED, message)
}

/// The first thing that is wrong, or the words for nothing wrong.
fn all_or(wrong: Option<(&'static str, String)>, right: &str) -> Found {
    match wrong {
        Some((why, message)) => (LayerState::Degraded, why, message),
        None => (LayerState::Normal, reason::NORMAL, right.to_owned()),
    }
}

impl<'a> Look<'a> {
    fn centres(&self) -> impl Iterator<Item = (&'a CentreAssignment, Option<&'a PlacementRow>)> {
        let rows = self.rows;
        self.assignment
            .centres
            .iter()
            .map(move |c| (c, rows.iter().find(|r| r.name == c.name)))
    }

    fn silent(&self) -> Option<&'a str> {
        let reports = |name: &str| self.centres.get(name).is_some_and(|c| c.reports);
        self.assignment
            .centres
            .iter()
            .map(|c| c.name.as_str())
            .find(|name| !reports(name))
    }

    /// All six.
    fn layers(&self) -> [(LayerName, Found); 6] {
        [
            (LayerName::Storage, not_measured("copies of data", "数据副本")),
            (LayerName::Compute, self.heard(Self::compute)),
            (LayerName::Application, self.heard(Self::application)),
            (LayerName::Network, self.network()),
            (LayerName::Security, not_measured("protection", "安全防护")),
            (LayerName::Transport, self.transport()),
        ]
    }

    /// That a centre is silent: reason and words.
    fn blind(&self) -> Option<(&'static str, String)> {
        let name = self.silent()?;
        Some((
            reason::CENTRE_UNKNOWN,
            format!("{name} does not report | {name} 未上报"),
        ))
    }

    /// Measures a layer of which every centre has to tell.
    fn heard(&self, measure: fn(&Self) -> Found) -> Found {
        match self.blind() {
            Some((why, message)) => (LayerState::Unknown, why, message),
            None => measure(self),
        }
    }

    fn transport(&self) -> Found {
        let wrong = self.silent().map(|name| {
            let message = format!("no report of {name} reaches the hub | 管理面收不到 {name} 的上报");
            (centre_reason::REPORT_STALE, message)
        });
        all_or(wrong, "every centre reports to the hub | 各中心均正常上报")
    }

    fn compute(&self) -> Found {
        let nodes = |name: &str| {
            self.centres
                .get(name)
                .and_then(|c| c.nodes.get(self.pool))
                .copied()
                .unwrap_or_default()
        };
        let wrong = self.assignment.centres.iter().find(|c| nodes(&c.name) == 0).map(|c| {
            let (pool, name) = (self.pool, &c.name);
            let message = format!("no node of pool {pool} in {name} is ready and takes new copies | {name} 的资源池 {pool} 没有可调度的就绪节点");
            (reason::NO_READY_NODES, message)
        });
        all_or(wrong, "every centre has ready nodes of the pool | 各中心均有就绪节点")
    }

    fn application(&self) -> Found {
        let mut short = self.centres().filter_map(|(centre, row)| {
            let (ready, wanted) = row.map_or((0, 0), |r| (r.ready, r.wanted));
            (ready < wanted.max(assigned(centre).min(1))).then(|| (centre.name.clone(), ready, wanted))
        });
        let wrong = short.next().map(|(name, ready, wanted)| {
            (
                reason::COPIES_MISSING,
                format!("{ready} of {wanted} copies are ready in {name} | {name} 就绪 {ready}/{wanted} 副本"),
            )
        });
        let unready = |why: &'static str| {
            let mut rows = self.centres().filter_map(|(_, row)| row);
            let row = rows.find(|r| r.reason == why)?;
            Some((why, of_centre(&row.name, row.message.as_deref().unwrap_or_default())))
        };
        let wrong = wrong.or_else(|| [reason::OBJECT_FAILED, reason::STARTING].into_iter().find_map(unready));
        if wrong.is_none() && !self.is_counted() {
            let message = "nothing of it has copies that are counted | 无可计数的副本".to_owned();
            return (LayerState::Unknown, reason::NOT_MEASURED, message);
        }
        all_or(wrong, "all copies are ready in every centre | 各中心副本全部就绪")
    }

    /// Whether the agents count copies of it: of a custom resource whose copies are not divided there are none.
    fn is_counted(&self) -> bool {
        let divided = self.assignment.centres.iter().any(|c| !c.copies.is_empty());
        divided || self.assignment.objects.iter().any(|o| o.kind.rolls())
    }

    /// Whether something runs in a centre by the decision, or by its row where copies are not divided.
    fn runs(&self, centre: &CentreAssignment, row: Option<&PlacementRow>) -> bool {
        if !centre.copies.is_empty() {
            return assigned(centre) > 0;
        }
        match row.map(|r| r.workloads.as_slice()).unwrap_or_default() {
            // Nothing is counted there; what waits in a standby is no fault.
            [] => self
                .assignment
                .active
                .as_ref()
                .is_none_or(|active| *active == centre.name),
            all => all.iter().any(|w| w.wanted > 0),
        }
    }

    /// A service that has no endpoint in a centre where something runs, in words.
    fn unserved(&self) -> Option<String> {
        self.centres()
            .filter(|(c, row)| self.runs(c, *row))
            .find_map(|(centre, row)| {
                let serves = |name: &String| {
                    let mut services = row.into_iter().flat_map(|r| &r.services);
                    services.any(|s| s.name == *name && s.ready > 0)
                };
                let (service, centre) = (self.decision.services.iter().find(|name| !serves(name))?, &centre.name);
                Some(format!(
                    "Service {service} has no ready endpoint in {centre} | {centre} 的 Service {service} 无就绪端点"
                ))
            })
    }

    fn network(&self) -> Found {
        if self.decision.services.is_empty() {
            let message = "no Service is placed | 未部署 Service".to_owned();
            return (LayerState::Unknown, reason::NOT_MEASURED, message);
        }
        self.heard(|look| {
            all_or(
                look.unserved().map(|message| (reason::NO_ENDPOINTS, message)),
                "every Service has ready endpoints in every centre | 各中心 Service 均有就绪端点",
            )
        })
    }

    /// Whether every centre serves; `None` while one is silent.
    fn serves(&self) -> Said {
        if let Some((why, message)) = self.blind() {
            return (None, why, message);
        }
        let mut centres = self.centres().filter(|(c, _)| self.is_counted() && !none_given(c));
        let idle = centres.find(|(_, row)| row.is_none_or(|r| r.ready == 0));
        let idle = idle.map(|(c, _)| format!("no copy is ready in {0} | {0} 无就绪副本", c.name));
        match idle.or_else(|| self.unserved()) {
            Some(message) => (Some(false), reason::CENTRE_DOES_NOT_SERVE, message),
            None => self.left_out().unwrap_or_else(|| self.used()),
        }
    }

    /// That the decision leaves a centre out: nobody in that centre can mend it.
    fn left_out(&self) -> Option<Said> {
        let centres = &self.assignment.centres;
        let message = if centres.len() < 2 {
            "one centre alone holds it | 仅部署于一个中心".to_owned()
        } else {
            let name = &centres.iter().find(|c| none_given(c))?.name;
            format!(
                "no copy is divided to {name}; see replicas, and weight and max of that centre | {name} 未分得副本，请查看副本数及该中心的 weight、max"
            )
        };
        Some((Some(false), reason::NOT_EVERYWHERE, message))
    }

    /// Whether users reach every centre, where all of them could serve.
    fn used(&self) -> Said {
        let services = |row: Option<&'a PlacementRow>| row.map(|r| r.services.as_slice()).unwrap_or_default();
        let rows: Vec<_> = self
            .centres()
            .map(|(c, row)| (c.name.as_str(), services(row)))
            .collect();
        let yes = |message: String| (Some(true), reason::SERVES_EVERYWHERE, message);
        let (en, zh) = match (self.is_counted(), self.decision.services.is_empty()) {
            (true, true) => return yes("ready copies in every centre | 各中心均有就绪副本".to_owned()),
            (false, true) => {
                let message = "nothing of it has copies or endpoints that are counted | 无可计数的副本或端点";
                return (None, reason::NOT_MEASURED, message.to_owned());
            }
            (true, false) => ("ready copies and endpoints in every centre", "各中心均有就绪副本与端点"),
            (false, false) => ("ready endpoints in every centre", "各中心均有就绪端点"),
        };
        match one_sided::traffic(&self.decision.services, &rows) {
            Traffic::OneSided(found) => (Some(false), reason::ONE_SIDED_TRAFFIC, found.to_string()),
            Traffic::NotMeasured(name) => yes(format!(
                "{en}; requests are not measured in {name}, see metricSources of its DataCenter | {zh}；{name} 的请求未监测，见其 DataCenter 的 metricSources"
            )),
            Traffic::Quiet => yes(format!("{en}; too few requests to compare | {zh}；请求过少，不作比较")),
            Traffic::Everywhere => yes(format!("{en}, and requests | {zh}与请求")),
        }
    }
}

#[cfg(test)]
mod tests;
