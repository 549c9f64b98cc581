//! `simulate --lose`: what comes short when a centre is lost, and what could still be granted.

use crds::{Amounts, ResourceRequest, Resources};
use jiff::civil::Date;
use plan::loss;
use plan::request::Request;
use serde::Serialize;

use super::placements::{self, Hit, hits};
use super::print::{figures, granted};
use super::{pools_note, requests_note};
use crate::amount::{brief, short};
use crate::floor::{Floor, Province};
use crate::lang::both;
use crate::placement::seen::Seen;
use crate::print::{Style, lines};

/// The answer for one centre. Amounts are exact.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// The centre.
    pub centre: String,
    /// Grants that keep less than they are.
    pub short: Vec<Short>,
    /// How many grants were looked at; `None` where requests may not be read.
    pub grants: Option<usize>,
    /// Pools that reach into the centre.
    pub pools: Vec<Left>,
    /// Placements that run in the centre; `None` where placements may not be read.
    pub placements: Option<Vec<Hit>>,
    /// What could not be looked at, `English | 中文`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A grant that keeps less than it is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Short {
    /// Name of the request.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Pool.
    pub pool: String,
    /// What was granted.
    pub granted: Amounts,
    /// What the centres that are left hold of it.
    pub keeps: Amounts,
}

/// What is left of a pool.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// Pool.
    pub pool: String,
    /// A centre that is left.
    pub centre: String,
    /// Free there.
    pub free: Amounts,
    /// What fits as a grant with survival `Full`, now.
    pub dual_active: Amounts,
    /// The same without the centre.
    pub dual_active_then: Amounts,
}

/// What the loss of that centre means, from what the user may read; `seen` is `None` where that holds no placements.
pub fn lose(
    centre: &str,
    province: &Province,
    requests: Option<(&[ResourceRequest], Option<&str>)>,
    seen: Option<&Seen>,
) -> Loss {
    let (all, only) = requests.unwrap_or_default();
    let floor = Floor::new(province, only.unwrap_or_default(), None, Date::ZERO);
    let mut notes = Vec::new();
    notes.extend(pools_note(province, &floor));
    notes.extend(requests_note(requests.is_some(), only));
    let readable: Vec<Request> = all
        .iter()
        .filter_map(|r| Request::read(r.clone(), false).ok())
        .collect();
    let live = readable.iter().filter(|r| !r.ended() && !r.holds.is_empty()).count();
    let touched = floor
        .pools
        .values()
        .filter(|p| p.slots.iter().any(|s| &*s.name == centre));
    let pools: Vec<Left> = touched.flat_map(|pool| left(pool, &floor, centre)).collect();
    if pools.is_empty() && province.pools.is_some() {
        notes.push(both(
            format!("{centre}: no pool reaches into it, so nothing changes"),
            format!("{centre}：没有资源池涉及该中心，无影响"),
        ));
    }
    let placements = seen.map(|seen| {
        let (hits, more) = hits(centre, seen);
        notes.extend(more);
        hits
    });
    if placements.is_none() {
        notes.push(both(
            "placements: you may not read them, so none is listed",
            "双活部署：无查看权限，未列出",
        ));
    }
    Loss {
        centre: centre.to_owned(),
        short: loss::short(&readable, centre).into_iter().map(written).collect(),
        grants: requests.map(|_| live),
        pools,
        placements,
        notes,
    }
}

fn written(short: loss::Short) -> Short {
    Short {
        name: short.name,
        namespace: short.tenant,
        pool: short.pool,
        granted: short.granted.to_amounts(),
        keeps: short.keeps.to_amounts(),
    }
}

fn left(pool: &plan::pool::Pool, floor: &Floor, lost: &str) -> Vec<Left> {
    let dual = |without: &str| loss::free_dual_active(pool, &floor.ledger, without).to_amounts();
    let slots = pool.slots.iter().filter(|s| &*s.name != lost);
    slots
        .map(|slot| Left {
            pool: pool.name.to_string(),
            centre: slot.name.to_string(),
            free: floor.ledger.free(&pool.name, &slot.name).to_amounts(),
            dual_active: dual(""),
            dual_active_then: dual(lost),
        })
        .collect()
}

/// In words.
pub fn print(loss: &Loss, style: Style) -> String {
    let mut text = format!("dcn/{}\n", loss.centre);
    text.push_str(&lines([match loss.grants {
        None => "SHORT  -".to_owned(),
        Some(grants) => format!(
            "SHORT  {} {} {grants} {}",
            loss.short.len(),
            style.say("of", "/"),
            style.say("grants keep less than they are", "项授予将低于授予量")
        ),
    }]));
    let rows: Vec<_> = loss
        .short
        .iter()
        .map(|s| {
            let (name, pool) = (s.name.clone(), s.pool.clone());
            vec![s.namespace.clone(), name, pool, granted(&s.granted), granted(&s.keeps)]
        })
        .collect();
    let names = [
        ("NAMESPACE", "命名空间"),
        ("REQUEST", "申请"),
        ("POOL", "资源池"),
        ("GRANTED", "授予"),
        ("KEEPS", "剩余保障"),
    ];
    text.push_str(&style.table(&names, &rows));
    let rows: Vec<_> = loss.pools.iter().flat_map(pool_rows).collect();
    let names = [
        ("POOL", "资源池"),
        ("CENTRE", "中心"),
        ("RES", "资源"),
        ("FREE", "余量"),
        ("FREE-DA", "双活余量"),
        ("FREE-DA-THEN", "失去该中心后双活余量"),
    ];
    text.push_str(&style.table(&names, &rows));
    text.push_str(&placements::print(
        loss.placements.as_deref().unwrap_or_default(),
        style,
    ));
    text.push_str(&style.notes(&loss.notes));
    text
}

/// One row for each resource that is free there or was.
fn pool_rows(left: &Left) -> Vec<Vec<String>> {
    let all = [&left.free, &left.dual_active, &left.dual_active_then].map(figures);
    let shown = |resource: &&str| all.iter().any(|f: &Resources| f[resource] != 0);
    let row = |resource: &str| {
        let start = [left.pool.clone(), left.centre.clone(), brief(resource).to_owned()];
        let cells = all.iter().map(|f| short(resource, f[resource]));
        start.into_iter().chain(cells).collect()
    };
    Resources::NAMES.iter().copied().filter(shown).map(row).collect()
}
