//! What people see of a request's amounts: what it holds, and before its grant what it asks. CPU and memory that come with
//! cards are not shown.

use crds::{ResourceRequest, ResourceRequestStatus, Resources};

use crate::cycle::Snapshot;
use crate::pool::Sort;
use crate::request::Request;

/// Writes `cpu`, `memory` and `gpu`; nothing where there is none.
pub(super) fn show(status: &mut ResourceRequestStatus, request: &Request, snapshot: &Snapshot) {
    let granted = request.allocation().is_some();
    let n = if granted {
        let held = request.holds.values().map(|grant| grant.n);
        sum(held)
    } else {
        asked(request.object())
    };
    let shown = |resource: &str| (n[resource] > 0).then(|| Resources::amount(resource, n[resource]).0);
    (status.cpu, status.memory) = (shown("cpu"), shown("memory"));
    if !granted {
        status.gpu = cards_asked(request.object());
    } else if let Some(held) = cards_held(request, snapshot) {
        status.gpu = Some(held).filter(|cards| !cards.is_empty());
    }
}

fn sum(amounts: impl Iterator<Item = Resources>) -> Resources {
    let without_cards = amounts.filter(|n| n.accelerators == 0);
    without_cards.fold(Resources::ZERO, Resources::plus)
}

/// By need or by pool; what cannot be read is refused, and not shown.
fn asked(object: &ResourceRequest) -> Resources {
    let spec = &object.spec;
    let by_pool = spec.pools.iter().flatten();
    let by_pool = sum(by_pool.filter_map(|p| Resources::try_from(&p.amounts).ok()));
    let need = spec.resources.as_ref();
    let by_need = Resources {
        cpu: need.and_then(|n| n.cpu.as_ref()?.parse("cpu").ok()).unwrap_or(0),
        memory: need.and_then(|n| n.memory.as_ref()?.parse("memory").ok()).unwrap_or(0),
        ..Resources::ZERO
    };
    by_pool.plus(by_need)
}

fn cards_asked(object: &ResourceRequest) -> Option<String> {
    let cards = object.spec.resources.as_ref()?.accelerators.as_ref()?;
    let words = cards.iter().map(|c| format!("{:?}:{}", c.use_, c.count));
    Some(words.collect::<Vec<_>>().join(","))
}

/// Cards by the use of their pools; nothing where one of these is not known.
fn cards_held(request: &Request, snapshot: &Snapshot) -> Option<String> {
    let of_cards = request.holds.iter().filter(|(_, grant)| grant.n.accelerators > 0);
    let words = of_cards.map(|(pool, grant)| match &snapshot.pools.get(&**pool)?.sort {
        Sort::Accelerator { use_, .. } => Some(format!("{use_:?}:{}", grant.n.accelerators)),
        Sort::Compute(_) | Sort::Storage(_) => None,
    });
    Some(words.collect::<Option<Vec<_>>>()?.join(","))
}
