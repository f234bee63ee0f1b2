//! Request contexts: which are open, and how many timers each has.

/// A request context: its place among those open, from 1 on, and which of its successive tenants it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContextId(pub(super) u64);

impl ContextId {
    /// Outside of any request: never ends.
    pub const NONE: ContextId = ContextId(0);

    fn new(place: usize, tenancy: u32) -> Self {
        ContextId((u64::from(tenancy) << 32) | (place as u64 + 1))
    }
}

/// The request contexts that are open, each with its timers that have not fired.
#[derive(Default)]
pub(super) struct Contexts {
    /// Tenancy and timers, by place.
    places: Vec<(u32, u32)>,
    free: Vec<usize>,
}

impl Contexts {
    pub(super) fn open(&mut self) -> ContextId {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, 0));
            self.places.len() - 1
        });
        ContextId::new(place, self.places[place].0)
    }

    /// The number of timers of a context; `None` if it has ended.
    pub(super) fn timers(&mut self, id: ContextId) -> Option<&mut u32> {
        let place = (id.0 as u32).checked_sub(1)?;
        let (tenancy, timers) = self.places.get_mut(place as usize)?;
        (u64::from(*tenancy) == id.0 >> 32).then_some(timers)
    }

    pub(super) fn end(&mut self, id: ContextId) {
        if self.timers(id).is_some() {
            let place = (id.0 as u32 - 1) as usize;
            let (tenancy, timers) = &mut self.places[place];
            *tenancy = tenancy.wrapping_add(1);
            *timers = 0;
            self.free.push(place);
        }
    }
}
