//! Dividing copies over centres: by weight, within bounds, to the last copy, and always the same way.

/// A centre's claim on copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Centre.
    pub name: String,
    /// Weight; nothing beyond `min` without one.
    pub weight: i128,
    /// Fewest copies.
    pub min: i64,
    /// Most copies.
    pub max: Option<i64>,
}

/// The bounds of the centres do not add up to the number of copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// The least copies are more than there are.
    TooMany(i64),
    /// The most copies are fewer than there are.
    TooFew(i64),
}

/// Copies of each part, in their order; the sum is `copies`. What is left over after whole copies goes to the largest
/// remainders, then to the heavier weight, then by name.
///
/// # Errors
/// [`Bounds`] where no division exists.
pub fn divide(copies: i64, parts: &[Part]) -> Result<Vec<i64>, Bounds> {
    let least = parts.iter().fold(0i64, |sum, p| sum.saturating_add(p.min));
    if least > copies {
        return Err(Bounds::TooMany(least));
    }
    let most = parts.iter().fold(0i64, |sum, p| sum.saturating_add(most_of(p)));
    if most < copies {
        return Err(Bounds::TooFew(most));
    }
    let mut fixed: Vec<Option<i64>> = parts.iter().map(|p| (p.weight <= 0).then_some(p.min)).collect();
    loop {
        let left = i128::from(copies) - fixed.iter().flatten().map(|n| i128::from(*n)).sum::<i128>();
        let weight: i128 = free(parts, &fixed).map(|(_, p)| p.weight).sum();
        if weight == 0 {
            break;
        }
        // Everything times `weight`, so that it stays exact.
        let bound = |p: &Part| {
            clamp(
                left * p.weight,
                i128::from(p.min) * weight,
                i128::from(most_of(p)) * weight,
            )
        };
        let excess: i128 = free(parts, &fixed).map(|(_, p)| bound(p) - left * p.weight).sum();
        let breaks = |p: &Part| {
            let (ideal, bound) = (left * p.weight, bound(p));
            (bound > ideal && excess >= 0) || (bound < ideal && excess <= 0)
        };
        let broken: Vec<(usize, i64)> = free(parts, &fixed)
            .filter(|(_, p)| breaks(p))
            .map(|(i, p)| (i, if bound(p) > left * p.weight { p.min } else { most_of(p) }))
            .collect();
        if broken.is_empty() {
            let whole = shares(left, weight, &free(parts, &fixed).collect::<Vec<_>>());
            fix(&mut fixed, whole);
            break;
        }
        fix(&mut fixed, broken);
    }
    Ok(fixed.into_iter().map(Option::unwrap_or_default).collect())
}

/// A part without a weight takes its least and no more.
fn most_of(part: &Part) -> i64 {
    if part.weight <= 0 {
        part.min
    } else {
        part.max.unwrap_or(i64::MAX)
    }
}

fn free<'a>(parts: &'a [Part], fixed: &'a [Option<i64>]) -> impl Iterator<Item = (usize, &'a Part)> {
    parts
        .iter()
        .enumerate()
        .filter(|(i, _)| fixed.get(*i).is_some_and(Option::is_none))
}

fn fix(fixed: &mut [Option<i64>], values: Vec<(usize, i64)>) {
    for (i, value) in values {
        if let Some(slot) = fixed.get_mut(i) {
            *slot = Some(value);
        }
    }
}

fn clamp(value: i128, least: i128, most: i128) -> i128 {
    value.min(most).max(least)
}

/// Whole shares of `left` by weight, the remainder to the largest fractions.
fn shares(left: i128, weight: i128, parts: &[(usize, &Part)]) -> Vec<(usize, i64)> {
    let whole = |p: &Part| left * p.weight / weight;
    let over = left - parts.iter().map(|(_, p)| whole(p)).sum::<i128>();
    let mut order: Vec<&(usize, &Part)> = parts.iter().collect();
    order.sort_by_key(|(_, p)| (-(left * p.weight % weight), -p.weight, p.name.clone()));
    let takes = |over: i128, rank: usize| i128::from(i128::try_from(rank).is_ok_and(|rank| rank < over));
    let share = |(rank, (i, p)): (usize, &(usize, &Part))| {
        (*i, i64::try_from(whole(p) + takes(over, rank)).unwrap_or(i64::MAX))
    };
    order.into_iter().enumerate().map(share).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(name: &str, weight: i128, min: i64, max: Option<i64>) -> Part {
        Part {
            name: name.to_owned(),
            weight,
            min,
            max,
        }
    }

    #[test]
    fn the_odd_copy_goes_to_the_same_side_every_time() {
        let (a, b) = (part("jishi", 1, 0, None), part("jiyidong", 1, 0, None));
        assert_eq!(divide(7, &[a.clone(), b.clone()]), Ok(vec![4, 3]));
        assert_eq!(divide(7, &[b, a]), Ok(vec![3, 4]));
        assert_eq!(
            divide(7, &[part("jishi", 1, 0, None), part("jiyidong", 2, 0, None)]),
            Ok(vec![2, 5])
        );
    }

    #[test]
    fn bounds_come_before_weights() {
        let capped = [part("a", 3, 0, Some(2)), part("b", 1, 0, None)];
        assert_eq!(divide(8, &capped), Ok(vec![2, 6]));
        let floored = [part("a", 1000, 0, None), part("b", 1, 2, None)];
        assert_eq!(divide(8, &floored), Ok(vec![6, 2]));
        assert_eq!(
            divide(3, &[part("a", 1, 2, None), part("b", 1, 2, None)]),
            Err(Bounds::TooMany(4))
        );
        assert_eq!(
            divide(9, &[part("a", 1, 0, Some(4)), part("b", 1, 0, Some(4))]),
            Err(Bounds::TooFew(8))
        );
        assert_eq!(
            divide(5, &[part("a", 1, 0, None), part("b", 0, 1, None)]),
            Ok(vec![4, 1])
        );
    }

    fn parts() -> impl Strategy<Value = Vec<Part>> {
        let one = (0i128..5, 0i64..6, proptest::option::of(0i64..9));
        proptest::collection::vec(one, 1..5).prop_map(|all| {
            let part = |(i, (weight, min, more)): (usize, (i128, i64, Option<i64>))| {
                part(&format!("c{i}"), weight, min, more.map(|m| min + m))
            };
            all.into_iter().enumerate().map(part).collect()
        })
    }

    proptest! {
        #[test]
        fn every_copy_is_somewhere_and_within_bounds(copies in 0i64..40, parts in parts()) {
            let least: i64 = parts.iter().map(|p| p.min).sum();
            let most = parts.iter().fold(0i64, |sum, p| sum.saturating_add(most_of(p)));
            match divide(copies, &parts) {
                Ok(shares) => {
                    prop_assert_eq!(shares.iter().sum::<i64>(), copies);
                    for (share, p) in shares.iter().zip(&parts) {
                        prop_assert!(*share >= p.min && *share <= most_of(p), "{} of {:?}", share, p);
                    }
                    let mut turned = parts.clone();
                    turned.reverse();
                    let mut again = divide(copies, &turned).unwrap();
                    again.reverse();
                    prop_assert_eq!(again, shares);
                }
                Err(_) => prop_assert!(least > copies || most < copies),
            }
        }

        #[test]
        fn unbounded_shares_are_within_one_copy_of_exact(copies in 0i64..500, weights in proptest::collection::vec(1i128..9, 1..5)) {
            let parts: Vec<Part> = weights.iter().enumerate().map(|(i, w)| part(&format!("c{i}"), *w, 0, None)).collect();
            let total: i128 = weights.iter().sum();
            for (share, weight) in divide(copies, &parts).unwrap().iter().zip(&weights) {
                let off = i128::from(*share) * total - i128::from(copies) * weight;
                prop_assert!(off.abs() < total);
            }
        }
    }
}
