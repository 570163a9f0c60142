//! A map of so many entries at most: for a new one, that goes which was not used for longest.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// The map. To make room it looks at every entry, which for some thousands is less than the network takes that a new entry
/// comes from.
pub(crate) struct Recent<K, V> {
    entries: HashMap<K, Entry<V>>,
    entries_max: usize,
    /// Counts uses.
    now: u64,
}

struct Entry<V> {
    value: V,
    used_at: u64,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    /// Of at least one entry.
    pub(crate) fn new(entries_max: usize) -> Self {
        Self {
            entries: HashMap::new(),
            entries_max: entries_max.max(1),
            now: 0,
        }
    }

    /// An entry, which is thereby used.
    pub(crate) fn get<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.now += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used_at = self.now;
        Some(&mut entry.value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if !self.entries.contains_key(&key) && self.entries.len() >= self.entries_max {
            self.drop_oldest();
        }
        self.now += 1;
        let used_at = self.now;
        self.entries.insert(key, Entry { value, used_at });
    }

    pub(crate) fn remove<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.remove(key);
    }

    fn drop_oldest(&mut self) {
        let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used_at);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let mut recent = Recent::new(2);
        recent.insert("a", 1);
        recent.insert("b", 2);
        assert_eq!(recent.get("a"), Some(&mut 1));
        recent.insert("c", 3);
        assert_eq!(recent.get("b"), None);
        recent.insert("a", 4);
        assert_eq!(recent.get("c"), Some(&mut 3));
        assert_eq!(recent.get("a"), Some(&mut 4));
        recent.remove("a");
        assert_eq!(recent.get("a"), None);
    }
}
