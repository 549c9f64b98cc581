//! Cards that must lie in one node: whether there are nodes for them at all, and whether enough of them are free now.
//!
//! What is free on a node is what no pod holds; it is a fact about running pods, not about grants, and so says only that a
//! grant could be used now. Where the layout of the cards is not known, as for declared capacity, nothing is said.

use crds::{CardNodes, Resources};

use crate::market::Choice;
use crate::pool::Pool;

/// How many cards lie in whole blocks, by `count` of each sort of node.
fn in_blocks(rows: &[CardNodes], block: i128, count: impl Fn(&CardNodes) -> i64) -> i128 {
    let of = |row: &CardNodes| i128::from(count(row)) / block * block * i128::from(row.nodes);
    rows.iter().map(of).sum()
}

/// The first centre where fewer cards lie in whole blocks than what is `needed` there.
fn first_short<'a>(
    choice: &'a Choice,
    pool: &Pool,
    needed: impl Fn(&str) -> Resources,
    count: impl Fn(&CardNodes) -> i64,
) -> Option<&'a str> {
    let block = choice.block.max(1);
    let mut centres = choice.grant.centres.keys().filter(|_| block > 1);
    let short = centres.find(|centre| {
        let rows = pool
            .capacity
            .get(&***centre)
            .map(|c| c.cards.as_slice())
            .unwrap_or_default();
        !rows.is_empty() && needed(centre).accelerators > in_blocks(rows, block, &count)
    });
    short.map(|centre| &**centre)
}

/// Why its nodes could never hold it, `English | 中文`.
pub fn never(choice: &Choice, pool: &Pool) -> Option<String> {
    let charge = |centre: &str| choice.grant.centres.get(centre).map_or(Resources::ZERO, |p| p.charge());
    let centre = first_short(choice, pool, charge, |row| row.cards)?;
    let (name, n, block) = (&choice.pool, choice.grant.n.accelerators, choice.block);
    Some(format!(
        "{name}: asked {n} cards, {block} in one node; {centre} has too few nodes of {block} cards; it will never fit, ask with a smaller perNode | {name}：申请 {n} 卡、单节点 {block} 卡，{centre} 没有足够的 {block} 卡节点，请减小 perNode"
    ))
}

/// Why the cards that are free now lie on too many nodes, `English | 中文`.
pub fn scattered(choice: &Choice, pool: &Pool) -> Option<String> {
    // The cards that a grant holds already are not free, because its own pods run on them.
    let centre = first_short(choice, pool, |centre| choice.added(centre), |row| row.free)?;
    let (name, n, block) = (&choice.pool, choice.grant.n.accelerators, choice.block);
    Some(format!(
        "{name}: asked {n} cards, {block} in one node; {centre} has the cards, but not {block} free ones on enough nodes; it goes on by itself when pods there end, or ask with a smaller perNode | {name}：申请 {n} 卡、单节点 {block} 卡，{centre} 余卡分散在多个节点，待作业结束后自动继续，或减小 perNode"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::{Part, PoolGrant};

    fn rows(rows: &[(i64, i64, i64)]) -> Vec<CardNodes> {
        let row = |(cards, free, nodes): &(i64, i64, i64)| CardNodes {
            cards: *cards,
            free: *free,
            nodes: *nodes,
        };
        rows.iter().map(row).collect()
    }

    fn verdicts(cards: i128, block: i128, layout: &[(i64, i64, i64)]) -> (bool, bool) {
        changed(0, cards, block, layout)
    }

    /// Whether the change of a grant can never be held, and whether it is scattered.
    fn changed(from: i128, to: i128, block: i128, layout: &[(i64, i64, i64)]) -> (bool, bool) {
        let grant = |cards| {
            let n = Resources {
                accelerators: cards,
                ..Resources::ZERO
            };
            let part = Part { share: n, survival: n };
            PoolGrant {
                n,
                centres: [("jishi", part)].into(),
            }
        };
        let choice = Choice {
            pool: "gpu".into(),
            grant: grant(to),
            base: grant(from),
            block,
            ..Choice::default()
        };
        let mut pool = crate::pool::testing::cards();
        pool.capacity.entry("jishi".into()).or_default().cards = rows(layout);
        (never(&choice, &pool).is_some(), scattered(&choice, &pool).is_some())
    }

    #[test]
    fn ten_free_on_ten_nodes_are_not_eight_on_one() {
        assert_eq!(verdicts(8, 8, &[(8, 1, 10)]), (false, true));
        assert_eq!(verdicts(8, 8, &[(8, 1, 9), (8, 8, 1)]), (false, false));
        assert_eq!(verdicts(8, 1, &[(8, 1, 10)]), (false, false));
        assert_eq!(verdicts(16, 8, &[(8, 8, 1), (8, 7, 9)]), (false, true));
        assert_eq!(verdicts(8, 8, &[(4, 4, 10)]), (true, true));
    }

    #[test]
    fn a_change_needs_only_what_it_adds() {
        // Eight of its cards are in use by its own job, on the node that is not free.
        assert_eq!(changed(8, 16, 8, &[(8, 0, 1), (8, 8, 1)]), (false, false));
        assert_eq!(changed(8, 16, 8, &[(8, 0, 1), (8, 7, 1)]), (false, true));
        // It could never hold more than its nodes, whoever has them.
        assert_eq!(changed(8, 16, 8, &[(8, 0, 1)]), (true, true));
    }

    #[test]
    fn an_unknown_layout_says_nothing() {
        assert_eq!(verdicts(8, 8, &[]), (false, false));
    }
}
