//! Values by name: a sorted list. A grant has one or two pools, a pool two centres, a tenant a handful of ceilings; there are
//! ten thousands of them, copied and looked at far more often than they are changed.

use std::sync::Arc;

/// A name that all who mention it share.
pub type Name = Arc<str>;

/// Values in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByName<T>(Vec<(Name, T)>);

impl<T> ByName<T> {
    /// Nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name))
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.get(self.place(name).ok()?).map(|(_, value)| value)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        let place = self.place(name).ok()?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    /// Whether there is a value of that name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_ok()
    }

    /// Puts a value there; answers the one that was there.
    pub fn insert(&mut self, name: impl Into<Name>, value: T) -> Option<T> {
        let name = name.into();
        match self.place(&name) {
            Ok(_) => self.get_mut(&name).map(|known| std::mem::replace(known, value)),
            Err(place) => {
                self.0.insert(place, (name, value));
                None
            }
        }
    }

    /// Removes all values.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Names in order.
    pub fn keys(&self) -> impl Iterator<Item = &Name> + Clone {
        self.0.iter().map(|(name, _)| name)
    }

    /// Values in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.iter().map(|(_, value)| value)
    }

    /// Both.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &T)> + Clone {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl<T: Default> ByName<T> {
    /// Changes the value of that name; where there is none it begins with the default.
    pub fn update(&mut self, name: &Name, change: impl FnOnce(&mut T)) {
        match self.place(name) {
            Ok(place) => {
                if let Some((_, value)) = self.0.get_mut(place) {
                    change(value);
                }
            }
            Err(place) => {
                let mut value = T::default();
                change(&mut value);
                self.0.insert(place, (Name::clone(name), value));
            }
        }
    }
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Into<Name>, T> FromIterator<(N, T)> for ByName<T> {
    /// Of two values of one name the later one stays, as in a map.
    fn from_iter<I: IntoIterator<Item = (N, T)>>(values: I) -> Self {
        let mut all = Self(values.into_iter().map(|(name, value)| (name.into(), value)).collect());
        if !all.0.is_sorted_by(|(a, _), (b, _)| a < b) {
            let mut unsorted = Self::new();
            for (name, value) in all.0.drain(..) {
                unsorted.insert(name, value);
            }
            return unsorted;
        }
        all
    }
}

impl<N: Into<Name>, T, const K: usize> From<[(N, T); K]> for ByName<T> {
    fn from(values: [(N, T); K]) -> Self {
        values.into_iter().collect()
    }
}

impl<'a, T> IntoIterator for &'a ByName<T> {
    type Item = (&'a Name, &'a T);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (Name, T)>, fn(&'a (Name, T)) -> (&'a Name, &'a T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

#[cfg(test)]
impl<T> std::ops::Index<&str> for ByName<T> {
    type Output = T;

    fn index(&self, name: &str) -> &T {
        self.get(name).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_a_map(values in prop::collection::vec(("[a-d]{1,2}", 0u8..9), 0..9), more in "[a-d]{1,2}") {
            let map: BTreeMap<String, u8> = values.iter().cloned().collect();
            let mut list: ByName<u8> = values.into_iter().collect();
            let shown = |list: &ByName<u8>| list.iter().map(|(n, v)| (n.to_string(), *v)).collect::<BTreeMap<_, _>>();
            prop_assert_eq!(list.len(), map.len());
            prop_assert_eq!(&shown(&list), &map);
            prop_assert_eq!(list.get(&more), map.get(&more));
            list.update(&more.as_str().into(), |value| *value += 1);
            prop_assert_eq!(list.get(&more).copied(), Some(map.get(&more).copied().unwrap_or_default() + 1));
            prop_assert!(list.keys().is_sorted());
        }
    }
}
