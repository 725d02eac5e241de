//! Numbered places: a number stays with its item, and is given to another one once that is gone.

#[derive(Debug)]
pub(super) struct Places<T> {
    items: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Places { items: Vec::new(), free: Vec::new() }
    }
}

impl<T> Places<T> {
    pub(super) fn put(&mut self, item: T) -> usize {
        if let Some(number) = self.free.pop() {
            self.items[number] = Some(item);
            return number;
        }
        self.items.push(Some(item));
        self.items.len() - 1
    }

    pub(super) fn get(&self, number: usize) -> Option<&T> {
        self.items.get(number)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        self.items.get_mut(number)?.as_mut()
    }

    pub(super) fn take(&mut self, number: usize) -> Option<T> {
        let item = self.items.get_mut(number)?.take()?;
        self.free.push(number);
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_given_again_only_after_its_item_is_gone() {
        let mut places = Places::default();
        assert_eq!(["a", "b", "c"].map(|item| places.put(item)), [0, 1, 2]);
        assert_eq!((places.take(1), places.take(1), places.take(7)), (Some("b"), None, None));
        assert_eq!(places.get(1), None);
        assert_eq!(places.get_mut(2), Some(&mut "c"));
        assert_eq!((places.put("d"), places.put("e")), (1, 3));
        assert_eq!(places.get(1), Some(&"d"));
    }
}
