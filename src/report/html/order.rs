//! In which order a page shows charts: what is decided by first, what explains it after.

/// Names of charts, or what they begin with: those of a sweep, of one run over time, of the other commands.
const ORDER: [&str; 28] = [
    "cost",
    "saving",
    "breakeven",
    "stores",
    "plan",
    "pareto",
    "forecast",
    "claimed_savings",
    "operations_per_request",
    "hit_ratio",
    "quota_use",
    "latency_query",
    "latency_record",
    "latency_metrics",
    "sensitivity",
    "time_requests",
    "time_goodput",
    "time_error_rate",
    "time_errors_by_type",
    "time_latency",
    "time_hit_ratio",
    "time_operations",
    "time_queue_depth",
    "time_concurrency",
    "time_isolates",
    "time_memory",
    "replay",
    "surface",
];

/// Where a chart stands among those of a page.
pub fn rank(file: &str) -> usize {
    let at = ORDER.iter().position(|o| file.starts_with(o));
    at.unwrap_or(ORDER.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_comes_before_its_causes_and_the_unknown_last() {
        let mut files = [
            "other.svg",
            "time_memory.svg",
            "latency_query.svg",
            "time_errors_by_type_naive.svg",
            "hit_ratio.svg",
            "time_error_rate.svg",
            "cost.svg",
        ];
        files.sort_by_key(|f| (rank(f), *f));
        let stems = files.map(|f| f.trim_end_matches(".svg"));
        assert_eq!(
            stems,
            [
                "cost",
                "hit_ratio",
                "latency_query",
                "time_error_rate",
                "time_errors_by_type_naive",
                "time_memory",
                "other"
            ]
        );
    }
}
