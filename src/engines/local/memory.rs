//! The memory budget of a run.
//!
//! DataFusion's `FairSpillPool` lets operators that can spill take all of it, and the merge of what a sort has spilled, which
//! cannot spill, then finds nothing left and fails. Here spilling operators share a part of the budget fairly, so that
//! there is always room for those that cannot.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use deltalake::datafusion::common::{DataFusionError, Result};
use deltalake::datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

/// A pool of which spilling operators share three fifths.
#[derive(Debug)]
pub(super) struct Budget {
    total_bytes: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    n_spilling: usize,
    spilling_bytes: usize,
    other_bytes: usize,
}

impl Budget {
    pub(super) fn new(total_bytes: usize) -> Self {
        Budget { total_bytes, taken: Mutex::default() }
    }

    fn spilling_limit(&self) -> usize {
        self.total_bytes / 5 * 3
    }

    fn with<T>(&self, change: impl FnOnce(&mut Taken) -> T) -> T {
        change(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn exhausted(&self, reservation: &MemoryReservation, additional: usize, available: usize) -> DataFusionError {
        DataFusionError::ResourcesExhausted(format!(
            "`{}` needs {additional} bytes more, and {available} of {} are left",
            reservation.consumer().name(),
            self.total_bytes
        ))
    }
}

impl MemoryPool for Budget {
    fn name(&self) -> &'static str {
        "budget"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.with(|taken| taken.n_spilling += 1);
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.with(|taken| taken.n_spilling = taken.n_spilling.saturating_sub(1));
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.with(|taken| *taken.of(reservation) += additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.with(|taken| {
            let bytes = taken.of(reservation);
            *bytes = bytes.saturating_sub(shrink);
        });
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.with(|taken| {
            let available = if reservation.consumer().can_spill() {
                let share = self.spilling_limit() / taken.n_spilling.max(1);
                share.saturating_sub(reservation.size())
            } else {
                self.total_bytes.saturating_sub(taken.spilling_bytes + taken.other_bytes)
            };
            if additional > available {
                return Err(self.exhausted(reservation, additional, available));
            }
            *taken.of(reservation) += additional;
            Ok(())
        })
    }

    fn reserved(&self) -> usize {
        self.with(|taken| taken.spilling_bytes + taken.other_bytes)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.total_bytes)
    }
}

impl Taken {
    fn of(&mut self, reservation: &MemoryReservation) -> &mut usize {
        if reservation.consumer().can_spill() { &mut self.spilling_bytes } else { &mut self.other_bytes }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a budget of {} bytes", self.total_bytes)
    }
}
