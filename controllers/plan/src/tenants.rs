//! The tree of tenants: one root, parents that exist, no cycle. An invalid subtree is named and isolated; the others go on.

use std::collections::BTreeMap;

use crds::{Resources, Tenant, tenant_reason as reason};

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
    let by_name: BTreeMap<&str, &Tenant> = tenants.iter().filter_map(|t| Some((t.metadata.name.as_deref()?, t))).collect();
    by_name.keys().map(|name| ((*name).to_owned(), place(name, &by_name))).collect()
}

fn place(name: &str, tenants: &BTreeMap<&str, &Tenant>) -> Result<(), Invalid> {
    own_place(name, tenants)?;
    let mut path = vec![name];
    let mut here = name;
    while let Some(parent) = tenants.get(here).and_then(|t| t.spec.parent_ref.as_deref()) {
        if path.contains(&parent) {
            let chain = path.join(" → ");
            let message = format!("{chain} → {parent} is a cycle; give one of them another parentRef | 上级关系成环：{chain} → {parent}，请修改其中一个 parentRef");
            return Err(Invalid { reason: reason::CYCLE, message });
        }
        if let Err(invalid) = own_place(parent, tenants) {
            let message = format!("ancestor {parent} is not valid ({}); mend it first | 上级 {parent} 无效（{}），请先修复", invalid.reason, invalid.reason);
            return Err(Invalid { reason: reason::ANCESTOR_INVALID, message });
        }
        path.push(parent);
        here = parent;
    }
    Ok(())
}

fn own_place(name: &str, tenants: &BTreeMap<&str, &Tenant>) -> Result<(), Invalid> {
    let Some(tenant) = tenants.get(name) else { return Ok(()) };
    if let Some(error) = tenant.spec.ceilings.iter().find_map(|c| Resources::try_from(&c.amounts).err()) {
        return Err(Invalid { reason: reason::MISCONFIGURED, message: error.to_string() });
    }
    match tenant.spec.parent_ref.as_deref() {
        Some(parent) if !tenants.contains_key(parent) => {
            let message = format!("parent {parent} does not exist yet; it goes on by itself when it does | 上级 {parent} 尚不存在，建立后自动继续");
            Err(Invalid { reason: reason::PARENT_MISSING, message })
        }
        Some(_) => Ok(()),
        None => {
            let root = tenants.iter().filter(|(_, t)| t.spec.parent_ref.is_none()).min_by_key(|(n, t)| (t.metadata.creation_timestamp.clone(), **n));
            match root {
                Some((first, _)) if *first != name => {
                    let message = format!("{first} is the root already; give this tenant a parentRef | 根租户已为 {first}，请填写 parentRef");
                    Err(Invalid { reason: reason::SECOND_ROOT, message })
                }
                _ => Ok(()),
            }
        }
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
            mlps_level: None,
            ceilings: vec![],
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
            tenant("second", None),
        ];
        assert_eq!(why(&all, "good"), "valid");
        assert_eq!(why(&all, "lost"), reason::PARENT_MISSING);
        assert_eq!(why(&all, "below"), reason::ANCESTOR_INVALID);
        assert_eq!(why(&all, "a"), reason::CYCLE);
        assert_eq!(why(&all, "second"), reason::SECOND_ROOT);
    }
}
