//! Registration of the table with the crate `prometheus`, every label set at zero from the start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{CounterVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use super::exemplars::{Exemplars, Seen};
use super::openmetrics::{self, Exposed, Series, Shown};
use super::table::{Buckets, Id, Kind, METRICS, Metric};
use super::{CallMetrics, Counters};
use crate::dialplan::plan::Plans;
use crate::ids::{AgentNo, HotlineId, TrunkName};

/// Agents beyond this many share the label `other`: series are memory in every Prometheus that scrapes us.
const AGENTS_MAX: usize = 500;
pub(super) const OTHER: &str = "other";

/// What the label sets are made of.
#[derive(Debug, Clone, Default)]
pub struct LabelSets {
    pub hotlines: BTreeSet<HotlineId>,
    pub trunks: BTreeSet<TrunkName>,
    /// Trunks that get OPTIONS: of the others nobody knows whether they are up.
    pub probed: BTreeSet<TrunkName>,
    /// Trunks that we register with.
    pub registering: BTreeSet<TrunkName>,
    pub agents: BTreeSet<AgentNo>,
    /// Those who begin logged out.
    pub login: BTreeSet<AgentNo>,
    /// Whom the calls of each hotline can ring.
    pub staff: BTreeMap<HotlineId, BTreeSet<AgentNo>>,
    /// Every threshold that a dialplan configures on waiting: each is a bucket's bound, exactly.
    pub thresholds_ms: Vec<u64>,
    /// Agents who have a series of their own: the first of the run, whatever the configuration names later.
    pub(super) labelled: BTreeSet<AgentNo>,
}

#[derive(Debug, thiserror::Error)]
#[error("metrics: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// All metrics of the process.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    families: Families,
    sets: Sets,
    whole: Whole,
}

/// The label sets of the configuration that is in force.
#[derive(Debug, Clone)]
pub(super) struct Sets(Arc<RwLock<LabelSets>>);

impl Sets {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, LabelSets> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One fact changes several series; whoever reads them must see all of its changes or none, or offered would not be the
/// sum of the outcomes and the calls in progress.
#[derive(Debug, Clone, Default)]
pub(super) struct Whole(Arc<Mutex<()>>);

impl Whole {
    pub(super) fn hold(&self) -> MutexGuard<'_, ()> {
        // There is nothing behind it that a panic could leave half done but the series, which a panic elsewhere does not touch.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LabelSets {
    /// The hotlines and agents of the plans; `agents` adds those that no plan names.
    pub fn from_plans(
        plans: &Plans,
        trunks: impl IntoIterator<Item = TrunkName>,
        agents: impl IntoIterator<Item = AgentNo>,
    ) -> LabelSets {
        let mut sets = LabelSets { trunks: trunks.into_iter().collect(), ..LabelSets::default() };
        sets.agents.extend(agents);
        for hotline in &plans.hotlines {
            sets.hotlines.insert(hotline.id.clone());
            sets.agents.extend(hotline.everybody());
            sets.staff.insert(hotline.id.clone(), hotline.everybody().into_iter().collect());
            if hotline.duty.login {
                sets.login.extend(hotline.everybody());
            }
            let answer = &hotline.answer;
            let last_burst = answer.cadence.period * answer.max_rings.saturating_sub(1) + answer.cadence.burst;
            let thresholds = [answer.cadence.period * answer.max_rings, last_burst, answer.short_abandon];
            sets.thresholds_ms.extend(thresholds.iter().filter_map(|t| u64::try_from(t.as_millis()).ok()));
        }
        sets
    }

    /// The label of an agent: the number, or `other` beyond the bound.
    pub(super) fn agent_label<'a>(&self, agent: &'a AgentNo) -> &'a str {
        if self.labelled.contains(agent) { agent.as_str() } else { OTHER }
    }

    pub(super) fn agent_labels(&self) -> Vec<String> {
        self.labelled.iter().map(ToString::to_string).chain([OTHER.to_owned()]).collect()
    }

    /// Gives labels to agents as far as there is room beside those who have one.
    fn label_agents(mut self, before: BTreeSet<AgentNo>) -> LabelSets {
        self.labelled = before;
        for agent in &self.agents {
            if self.labelled.len() < AGENTS_MAX {
                self.labelled.insert(agent.clone());
            }
        }
        self
    }
}

impl Metrics {
    pub fn new(sets: LabelSets) -> Result<Metrics, MetricsError> {
        let sets = sets.label_agents(BTreeSet::new());
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let families = METRICS.iter().map(|metric| register(&registry, metric, &sets));
        let series = families.collect::<Result<Arc<[Family]>, _>>()?;
        let families = Families { series, exemplars: Exemplars::new(&sets) };
        families.set(Id::BuildInfo, &[env!("CARGO_PKG_VERSION")], 1);
        Ok(Metrics { registry, families, sets: Sets(Arc::new(RwLock::new(sets))), whole: Whole::default() })
    }

    /// Another configuration: what it adds has series at zero from now on, and what it drops keeps its own, for they count
    /// since the process began. Bounds of histograms stay.
    pub fn renew(&self, sets: LabelSets) {
        let mut current = self.sets.0.write().unwrap_or_else(PoisonError::into_inner);
        let thresholds_ms = std::mem::take(&mut current.thresholds_ms);
        let labelled = std::mem::take(&mut current.labelled);
        for gone in current.hotlines.difference(&sets.hotlines) {
            // Nobody calls it any more, so nobody is missed there.
            self.families.set(Id::Open, &[gone.as_str()], 0);
            self.families.set(Id::OnDuty, &[gone.as_str()], 0);
        }
        *current = LabelSets { thresholds_ms, ..sets.label_agents(labelled) };
        for metric in METRICS {
            for row in metric.rows(&current) {
                self.families.exist(metric.id, &row);
            }
        }
    }

    /// Whether every threshold of the configuration is the bound of a bucket.
    pub fn has_bounds_for(&self, sets: &LabelSets) -> bool {
        let bounds = Buckets::Waiting.bounds(&self.sets.read());
        Buckets::Waiting.bounds(sets).iter().all(|bound| bounds.contains(bound))
    }

    /// The fold of the stream of facts; make one.
    pub fn calls(&self) -> CallMetrics {
        CallMetrics::new(self.families.clone(), self.sets.clone(), self.whole.clone())
    }

    /// The handle of the direct counters; clone it freely.
    pub fn counters(&self) -> Counters {
        Counters::new(self.families.clone())
    }

    /// Prometheus' text format, version 0.0.4.
    pub fn encode(&self) -> Result<String, MetricsError> {
        Ok(TextEncoder::new().encode_to_string(&self.gather())?)
    }

    /// OpenMetrics 1.0.0, with the ids of calls as exemplars.
    pub fn encode_open(&self) -> String {
        let families: Vec<Exposed> = self.gather().iter().filter_map(exposed).collect();
        openmetrics::encode(&families, &self.families.exemplars)
    }

    fn gather(&self) -> Vec<MetricFamily> {
        let _whole = self.whole.hold();
        self.registry.gather()
    }
}

/// What the crate gathered, without its types.
fn exposed(family: &MetricFamily) -> Option<Exposed> {
    let kind = match family.get_field_type() {
        MetricType::COUNTER => Kind::Counter,
        MetricType::GAUGE => Kind::Gauge,
        MetricType::HISTOGRAM => Kind::Histogram,
        MetricType::SUMMARY | MetricType::UNTYPED => return None,
    };
    let series = family.get_metric().iter().map(|metric| {
        let labels = metric.get_label().iter().map(|label| (label.name().to_owned(), label.value().to_owned()));
        let shown = match kind {
            Kind::Counter => Shown::Number(metric.get_counter().get_value()),
            Kind::Gauge => Shown::Number(metric.get_gauge().get_value()),
            Kind::Histogram => {
                let of = metric.get_histogram();
                let buckets = of.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
                Shown::Buckets { buckets: buckets.collect(), sum: of.get_sample_sum(), count: of.get_sample_count() }
            }
        };
        Series { labels: labels.collect(), shown }
    });
    Some(Exposed { name: family.name().to_owned(), help: family.help().to_owned(), kind, series: series.collect() })
}

/// One family for each row of the table, in its order.
#[derive(Debug, Clone)]
pub(super) struct Families {
    series: Arc<[Family]>,
    exemplars: Exemplars,
}

#[derive(Debug, Clone)]
enum Family {
    Counter(IntCounterVec),
    Seconds(CounterVec),
    Gauge(IntGaugeVec),
    Histogram(HistogramVec),
}

impl Families {
    pub(super) fn add(&self, id: Id, labels: &[&str], by: u64) {
        if let Family::Counter(family) = &self.series[id as usize]
            && let Ok(counter) = family.get_metric_with_label_values(labels)
        {
            return counter.inc_by(by);
        }
        debug_assert!(false, "{id:?} is no counter with the labels {labels:?}");
    }

    /// Adds to a counter of time.
    pub(super) fn add_ms(&self, id: Id, labels: &[&str], ms: u64) {
        if let Family::Seconds(family) = &self.series[id as usize]
            && let Ok(counter) = family.get_metric_with_label_values(labels)
        {
            return counter.inc_by(ms as f64 / 1_000.0);
        }
        debug_assert!(false, "{id:?} is no counter of time with the labels {labels:?}");
    }

    pub(super) fn set(&self, id: Id, labels: &[&str], to: i64) {
        if let Family::Gauge(family) = &self.series[id as usize]
            && let Ok(gauge) = family.get_metric_with_label_values(labels)
        {
            return gauge.set(to);
        }
        debug_assert!(false, "{id:?} is no gauge with the labels {labels:?}");
    }

    pub(super) fn shift(&self, id: Id, labels: &[&str], by: i64) {
        if let Family::Gauge(family) = &self.series[id as usize]
            && let Ok(gauge) = family.get_metric_with_label_values(labels)
        {
            return gauge.add(by);
        }
        debug_assert!(false, "{id:?} is no gauge with the labels {labels:?}");
    }

    /// Makes a series, at zero if it is new.
    fn exist(&self, id: Id, row: &[String]) {
        let made = match &self.series[id as usize] {
            Family::Counter(family) => family.get_metric_with_label_values(row).map(drop),
            Family::Seconds(family) => family.get_metric_with_label_values(row).map(drop),
            Family::Gauge(family) => family.get_metric_with_label_values(row).map(drop),
            Family::Histogram(family) => family.get_metric_with_label_values(row).map(drop),
        };
        debug_assert!(made.is_ok(), "{id:?} has not the labels {row:?}");
    }

    /// One observation that a call can be shown for; `label` is the metric's only one.
    pub(super) fn observe_in(&self, id: Id, label: &str, value: f64, of: Seen) {
        self.observe(id, &[label], value);
        self.exemplars.keep(id, label, value, of);
    }

    pub(super) fn observe(&self, id: Id, labels: &[&str], value: f64) {
        if let Family::Histogram(family) = &self.series[id as usize]
            && let Ok(histogram) = family.get_metric_with_label_values(labels)
        {
            return histogram.observe(value);
        }
        debug_assert!(false, "{id:?} is no histogram with the labels {labels:?}");
    }
}

fn register(registry: &Registry, metric: &Metric, sets: &LabelSets) -> Result<Family, prometheus::Error> {
    let names: Vec<&str> = metric.labels.iter().map(|label| label.name).collect();
    let rows = metric.rows(sets);
    match metric.kind {
        Kind::Counter if metric.counts_seconds() => {
            let family = CounterVec::new(Opts::new(metric.name, metric.help), &names)?;
            registry.register(Box::new(family.clone()))?;
            rows.iter().try_for_each(|row| family.get_metric_with_label_values(row).map(drop))?;
            Ok(Family::Seconds(family))
        }
        Kind::Counter => {
            let family = IntCounterVec::new(Opts::new(metric.name, metric.help), &names)?;
            registry.register(Box::new(family.clone()))?;
            rows.iter().try_for_each(|row| family.get_metric_with_label_values(row).map(drop))?;
            Ok(Family::Counter(family))
        }
        Kind::Gauge => {
            let family = IntGaugeVec::new(Opts::new(metric.name, metric.help), &names)?;
            registry.register(Box::new(family.clone()))?;
            rows.iter().try_for_each(|row| family.get_metric_with_label_values(row).map(drop))?;
            Ok(Family::Gauge(family))
        }
        Kind::Histogram => {
            let options = HistogramOpts::new(metric.name, metric.help).buckets(metric.buckets.bounds(sets));
            let family = HistogramVec::new(options, &names)?;
            registry.register(Box::new(family.clone()))?;
            rows.iter().try_for_each(|row| family.get_metric_with_label_values(row).map(drop))?;
            Ok(Family::Histogram(family))
        }
    }
}
