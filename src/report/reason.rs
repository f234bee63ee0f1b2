//! Why a bill stands for less than the work, in words.

use super::format;
use crate::study::cheapest::Reason;

/// Why a bill says nothing, of a policy or its plan.
pub fn reason_words(reason: Reason) -> String {
    match reason {
        Reason::RefusesRequests(x) => format!("refuses {} of the requests", format::percent(x)),
        Reason::RefusesOperations(x) => {
            format!("refuses {} of the KV operations", format::percent(x))
        }
        Reason::Loses(x) => format!("loses {} of the records", format::percent(x)),
        Reason::LossUnknown => {
            "unknown loss: keys have expired, lost updates cannot be counted".into()
        }
        Reason::ShortHistory => {
            "unknown reads: less time is simulated than its queries look back".into()
        }
    }
}
