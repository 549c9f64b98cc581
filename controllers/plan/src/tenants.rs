//! The tree of tenants: one root, parents that exist, no cycle. An invalid subtree is named and isolated; the others go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{AmountError, Intake, Tenant, tenant_reason as reason};

use crate::approvals::Policy;
use crate::by_name::ByName;
use crate::ceilings::Ceiling;

/// A tenant as decisions see it: its spec read into numbers.
#[derive(Clone, Debug, Default)]
pub struct TenantFacts {
    /// Generation of its spec.
    pub generation: i64,
    /// Parent.
    pub parent: Option<String>,
    /// Ceilings by pool.
    pub ceilings: Arc<ByName<Ceiling>>,
    /// Who must agree; where there is none, the pools say.
    pub policy: Option<Policy>,
    /// What it may still be granted by its own spec; those above it count too.
    pub intake: Intake,
    /// Days for which a grant stays in force after its term.
    pub grace_days: i32,
}

impl TenantFacts {
    /// Reads the spec.
    ///
    /// # Errors
    /// An amount cannot be read.
    pub fn read(tenant: &Tenant) -> Result<Self, AmountError> {
        let spec = &tenant.spec;
        let ceilings = spec.ceilings.iter().map(|c| Ok((c.pool.as_str(), Ceiling::read(c)?)));
        Ok(Self {
            generation: tenant.metadata.generation.unwrap_or_default(),
            parent: spec.parent_ref.clone(),
            ceilings: Arc::new(ceilings.collect::<Result<_, AmountError>>()?),
            policy: spec.approval.as_ref().map(Policy::read).transpose()?,
            intake: spec.intake,
            grace_days: spec.grace_days,
        })
    }
}

/// The strictest intake from the tenant up to the root, and whose it is.
pub fn intake<'a>(tenant: &'a str, tenants: &'a BTreeMap<String, TenantFacts>) -> (Intake, &'a str) {
    let (mut strictest, mut here, mut left) = ((Intake::Open, tenant), Some(tenant), tenants.len());
    while let Some((name, facts)) = here.filter(|_| left > 0).and_then(|n| tenants.get_key_value(n)) {
        if facts.intake > strictest.0 {
            strictest = (facts.intake, name);
        }
        here = facts.parent.as_deref();
        left -= 1;
    }
    strictest
}

/// Why a tenant's place is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// One of [`crds::tenant_reason`].
    pub reason: &'static str,
    /// `English | 中文`.
    pub message: String,
}

/// For each tenant whether its place in the tree is valid, or why not.
pub fn standing(tenants: &[Tenant]) -> BTreeMap<String, Result<(), Invalid>> {
    let tree = Tree::new(tenants);
    tree.by_name
        .keys()
        .map(|name| ((*name).to_owned(), tree.place(name)))
        .collect()
}

struct Tree<'a> {
    by_name: BTreeMap<&'a str, &'a Tenant>,
    /// The oldest tenant without a parent.
    root: Option<&'a str>,
}

impl<'a> Tree<'a> {
    fn new(tenants: &'a [Tenant]) -> Self {
        let by_name: BTreeMap<&str, &Tenant> = tenants
            .iter()
            .filter_map(|t| Some((t.metadata.name.as_deref()?, t)))
            .collect();
        let roots = by_name.iter().filter(|(_, t)| t.spec.parent_ref.is_none());
        let root = roots
            .min_by_key(|(_, t)| t.metadata.creation_timestamp.as_ref())
            .map(|(name, _)| *name);
        Self { by_name, root }
    }

    fn parent(&self, name: &str) -> Option<&'a str> {
        self.by_name.get(name)?.spec.parent_ref.as_deref()
    }

    fn place(&self, name: &str) -> Result<(), Invalid> {
        self.own_place(name)?;
        let mut path = vec![name];
        let mut here = name;
        while let Some(parent) = self.parent(here) {
            if parent == name {
                return Err(cycle(&path));
            }
            // A cycle further up: its members are the ones to mend.
            let above = if path.contains(&parent) {
                Err(reason::CYCLE)
            } else {
                self.own_place(parent).map_err(|i| i.reason)
            };
            if let Err(why) = above {
                let message = format!(
                    "ancestor {parent} is not valid ({why}); mend it first | 上级 {parent} 无效（{why}），请先修复"
                );
                return Err(Invalid {
                    reason: reason::ANCESTOR_INVALID,
                    message,
                });
            }
            path.push(parent);
            here = parent;
        }
        Ok(())
    }

    /// What is wrong with the tenant itself, whoever stands above it.
    fn own_place(&self, name: &str) -> Result<(), Invalid> {
        let Some(tenant) = self.by_name.get(name) else {
            return Ok(());
        };
        if let Err(error) = TenantFacts::read(tenant) {
            return Err(Invalid {
                reason: reason::MISCONFIGURED,
                message: error.to_string(),
            });
        }
        match (tenant.spec.parent_ref.as_deref(), self.root) {
            (Some(parent), _) if !self.by_name.contains_key(parent) => {
                let message = format!(
                    "parent {parent} does not exist yet; it goes on by itself when it does | 上级 {parent} 尚不存在，建立后自动继续"
                );
                Err(Invalid {
                    reason: reason::PARENT_MISSING,
                    message,
                })
            }
            (None, Some(root)) if root != name => {
                let message = format!(
                    "{root} is the root already; give this tenant a parentRef | 根租户已为 {root}，请填写 parentRef"
                );
                Err(Invalid {
                    reason: reason::SECOND_ROOT,
                    message,
                })
            }
            _ => Ok(()),
        }
    }
}

fn cycle(path: &[&str]) -> Invalid {
    let (chain, first) = (path.join(" → "), path.first().copied().unwrap_or_default());
    let message = format!(
        "{chain} → {first} is a cycle; give one of them another parentRef | 上级关系成环：{chain} → {first}，请修改其中一个 parentRef"
    );
    Invalid {
        reason: reason::CYCLE,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::{TenantLevel, TenantSpec};

    fn tenant(name: &str, parent: Option<&str>) -> Tenant {
        let spec = TenantSpec {
            display_name: name.into(),
            level: TenantLevel::City,
            parent_ref: parent.map(Into::into),
            administrators: vec![],
            contacts: Vec::new(),
            mlps_level: None,
            ceilings: vec![],
            approval: None,
            intake: Intake::Open,
            grace_days: 14,
        };
        Tenant::new(name, spec)
    }

    fn why(tenants: &[Tenant], name: &str) -> &'static str {
        standing(tenants)[name].as_ref().map_or_else(|i| i.reason, |()| "valid")
    }

    #[test]
    fn a_bad_subtree_is_isolated() {
        let all = [
            tenant("jilin", None),
            tenant("good", Some("jilin")),
            tenant("lost", Some("nowhere")),
            tenant("below", Some("lost")),
            tenant("a", Some("b")),
            tenant("b", Some("a")),
            tenant("under", Some("b")),
            tenant("second", None),
        ];
        assert_eq!(why(&all, "good"), "valid");
        assert_eq!(why(&all, "lost"), reason::PARENT_MISSING);
        assert_eq!(why(&all, "below"), reason::ANCESTOR_INVALID);
        assert_eq!(why(&all, "a"), reason::CYCLE);
        assert_eq!(why(&all, "under"), reason::ANCESTOR_INVALID);
        assert_eq!(why(&all, "second"), reason::SECOND_ROOT);
    }
}
