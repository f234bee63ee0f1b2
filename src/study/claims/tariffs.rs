//! The tariffs of a claims file with the prices that they take.

use super::spec::{Check, Tariff};
use crate::models::{self, ConfigError, ValueError};
use crate::pricing::{Catalog, Date, MeterItem, Plan, Usage};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// All tariffs, in the order of the file.
#[derive(Debug, Clone)]
pub struct Tariffs {
    all: Vec<PricedTariff>,
}

/// A tariff with its catalog.
#[derive(Debug, Clone, Serialize)]
pub struct PricedTariff {
    /// The tariff as it is written.
    pub tariff: Tariff,
    /// Its prices, those in force on its day.
    pub catalog: Catalog,
}

impl Tariffs {
    /// Loads the catalogs, with the prices of all days. `folder` is what they are relative to; `label`
    /// names the claims file.
    ///
    /// # Errors
    /// If a catalog cannot be used, or does not know the plan or the day.
    pub fn load(
        tariffs: &[Tariff],
        folder: Option<&Path>,
        label: &str,
    ) -> Result<Self, ConfigError> {
        let load = |tariff: &Tariff| {
            let mut catalog: Catalog = models::load(&tariff.catalog, folder, &[])?;
            catalog.round_up.extend(&tariff.round_up);
            let plan = catalog.plan(&tariff.plan).map(|_| ());
            let plan = plan.map_err(|e| ValueError::new(e.message));
            plan.and_then(|()| tariff.on.map_or(Ok(()), |on| catalog.check_known(on)))
                .map_err(|e| ConfigError::new(label, format!("tariff \"{}\": {e}", tariff.name)))?;
            Ok(PricedTariff {
                tariff: tariff.clone(),
                catalog,
            })
        };
        let all = tariffs
            .iter()
            .map(load)
            .collect::<Result<_, ConfigError>>()?;
        Ok(Tariffs { all })
    }

    /// The same with the prices that are in force on the day of each alone.
    pub fn on_their_days(mut self) -> Self {
        for t in &mut self.all {
            t.catalog = t.catalog.clone().on(t.day());
        }
        self
    }

    /// In the order of the file.
    pub fn all(&self) -> &[PricedTariff] {
        &self.all
    }

    /// The tariff of that name.
    ///
    /// # Panics
    /// If there is none; loading has checked that there is.
    pub fn get(&self, name: &str) -> &PricedTariff {
        let named = self.all.iter().find(|t| t.tariff.name == name);
        named.expect("checked when loaded")
    }

    /// The published tariff, if there is one and `own` is another.
    pub fn published_beside(&self, own: &PricedTariff) -> Option<&PricedTariff> {
        let published = self.all.iter().find(|t| t.tariff.published);
        published.filter(|_| !own.tariff.published)
    }

    /// Whether every meter that a check prices has a price: what has none is not free.
    ///
    /// # Errors
    /// The tariff and the meter without a price.
    pub fn check_priced(&self, check: &Check) -> Result<(), ValueError> {
        match check {
            Check::Price {
                tariff,
                usage,
                less,
                ..
            } => {
                let own = self.get(tariff);
                let published = self.published_beside(own);
                for meter in usage.keys().chain(less.iter().flat_map(BTreeMap::keys)) {
                    for t in std::iter::once(own).chain(published) {
                        // A tariff by size may have no price for the operations themselves.
                        t.check_meter(*meter).or_else(|e| {
                            let instead = t.by_size(*meter).ok_or(e)?;
                            t.check_meter(instead)
                        })?;
                    }
                }
                Ok(())
            }
            Check::Simulation(s) | Check::Alert(s) => {
                let Some(tariff) = &s.tariff else {
                    return Ok(());
                };
                let own = self.get(tariff);
                s.items.iter().try_for_each(|m| own.check_meter(*m))
            }
            _ => Ok(()),
        }
    }
}

impl PricedTariff {
    /// The day whose prices are taken.
    fn day(&self) -> Date {
        self.tariff.on.unwrap_or_else(|| self.catalog.checked_on())
    }

    /// Whether a meter has a price.
    fn check_meter(&self, meter: MeterItem) -> Result<(), ValueError> {
        let checked = self.catalog.check_priced(self.plan(), meter, self.day());
        checked.map_err(|e| ValueError::new(format!("tariff \"{}\": {e}", self.tariff.name)))
    }

    /// The bytes that stand for an operation, if the tariff assumes how many.
    fn by_size(&self, meter: MeterItem) -> Option<MeterItem> {
        self.tariff.operation_bytes?;
        match meter {
            MeterItem::KvReads => Some(MeterItem::KvReadBytes),
            MeterItem::KvWrites => Some(MeterItem::KvWriteBytes),
            _ => None,
        }
    }

    /// Its plan.
    ///
    /// # Panics
    /// If the catalog has no such plan; loading has checked that it does.
    pub fn plan(&self) -> &Plan {
        let plan = self.catalog.plan(&self.tariff.plan);
        plan.expect("checked when loaded")
    }

    /// The usage as the tariff sees it: bytes by its own assumption, if it has one.
    pub fn as_billed(&self, usage: &Usage) -> Usage {
        let Some(bytes) = self.tariff.operation_bytes else {
            return usage.clone();
        };
        let mut billed = Usage::default();
        for item in MeterItem::ALL {
            let quantity = match item {
                MeterItem::KvReadBytes => usage.get(MeterItem::KvReads) * u128::from(bytes.0),
                MeterItem::KvWriteBytes => usage.get(MeterItem::KvWrites) * u128::from(bytes.0),
                _ => usage.get(item),
            };
            billed.add(item, quantity);
        }
        billed
    }
}
