//! Usage data from Cloudflare itself. Token and account come from the environment and go nowhere else.

use super::common::{Failure, interrupt_flag, interrupted, real_time};
use kvplan::pricing::Date;
use kvplan::study::usage::{Actual, Wanted, graphql};
use kvplan_remote::account::{ACCOUNT, Account, Answer, Api, TOKEN};
use kvplan_remote::failure::Failure as NoAnswer;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Rows asked for at once; an answer that has as many is asked for again in two halves.
const ROWS: usize = 1_000;
/// Attempts at a request, and the longest wait before the next.
const ATTEMPTS: u32 = 4;
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Most pages of billable usage.
const PAGES: u64 = 100;
/// Most of a message of Cloudflare's that is shown.
const SHOWN: usize = 300;

/// Datasets with their fields, and whether they are filtered by date or by time.
const DATASETS: [(&str, &str, bool); 3] = [
    (
        "kvOperationsAdaptiveGroups",
        "sum { requests } avg { sampleInterval } confidence(level: 0.95) { sum { requests { estimate lower upper sampleSize } } } dimensions { date actionType }",
        true,
    ),
    (
        "kvStorageAdaptiveGroups",
        "max { keyCount byteCount } dimensions { date namespaceId }",
        true,
    ),
    (
        "workersInvocationsAdaptive",
        "sum { requests subrequests errors } avg { sampleInterval } confidence(level: 0.95) { sum { requests { estimate lower upper sampleSize } } } dimensions { date scriptName }",
        false,
    ),
];

/// A connection to the API.
struct Client {
    api: Api,
    account: Account,
}

/// Asks for the usage of whole days, from `since` to the day before `until`.
pub(crate) fn fetch(
    actual: &mut Actual,
    namespace: Option<&str>,
    since: Date,
    until: Date,
) -> Result<(), Failure> {
    let client = Client::of_environment()?;
    let days = (since.days_since_1970(), until.days_since_1970());
    if days.0 >= days.1 {
        return Err(Failure::usage(format!(
            "--until: found {until}, expected a day after --since {since}"
        )));
    }
    real_time(async {
        for dataset in DATASETS {
            client.dataset(actual, dataset, namespace, days).await?;
        }
        client.billable(actual, namespace, since, until).await
    })
}

/// The last seven whole days, by the clock of this machine.
pub(crate) fn last_week() -> (Date, Date) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let today = now.map_or(0, |d| d.as_secs() / 86_400) as i64;
    let date = |day| Date::of_days_since_1970(day);
    let epoch = || Date::new(1970, 1, 1).expect("the calendar has it");
    (
        date(today - 7).unwrap_or_else(epoch),
        date(today).unwrap_or_else(epoch),
    )
}

impl Client {
    fn of_environment() -> Result<Self, Failure> {
        let account = Account::from_environment()
            .map_err(|unset| Failure::usage(format!("{unset} for --fetch")))?;
        Ok(Client {
            api: Api::new(&account, TIMEOUT).map_err(Failure::usage)?,
            account,
        })
    }

    /// The days `from` to `to`, the last not included; in two halves where there are too many rows.
    async fn dataset(
        &self,
        actual: &mut Actual,
        dataset: (&str, &str, bool),
        namespace: Option<&str>,
        (from, to): (i64, i64),
    ) -> Result<(), Failure> {
        let (name, fields, by_date) = dataset;
        let day = |n: i64| {
            let date = Date::of_days_since_1970(n);
            date.ok_or_else(|| Failure::usage("--since: expected a year of four digits"))
        };
        let (first, last, end) = (day(from)?, day(to - 1)?, day(to)?);
        let mut filter = match by_date {
            true => json!({ "date_geq": first, "date_leq": last }),
            false => json!({
                "datetime_geq": format!("{first}T00:00:00Z"),
                "datetime_lt": format!("{end}T00:00:00Z"),
            }),
        };
        if let (Some(id), true) = (namespace, by_date) {
            filter["namespaceId"] = id.into();
        }
        let kind = format!("Account{}Filter_InputObject", capitalised(name));
        let query = format!(
            "query Usage($account: string!, $filter: {kind}) {{ viewer {{ accounts(filter: {{ accountTag: $account }}) {{ {name}(limit: {ROWS}, filter: $filter) {{ {fields} }} }} }} }}"
        );
        let body = json!({ "query": query, "variables": { "account": self.account.id(), "filter": filter } });
        let label = format!("Cloudflare's {name}");
        let answer = self.repeat(&label, async || self.api.post("/graphql", &body).await);
        let text = good(&label, answer.await?)?;
        let value = parsed(&label, &text)?;
        let wrong = graphql::errors(&value);
        if !wrong.is_empty() {
            return Err(Failure::usage(format!(
                "{label}: found an error in the answer: {}",
                short(&wrong.join("; "))
            )));
        }
        let rows = graphql::groups(&label, &value)?.len();
        if rows >= ROWS {
            if to - from < 2 {
                return Err(Failure::usage(format!(
                    "{label}: found {rows} rows or more for {first} alone, expected fewer; take one --namespace"
                )));
            }
            let middle = from + (to - from) / 2;
            Box::pin(self.dataset(actual, dataset, namespace, (from, middle))).await?;
            return Box::pin(self.dataset(actual, dataset, namespace, (middle, to))).await;
        }
        let wanted = Wanted {
            namespace: None,
            since: Some(first),
            until: Some(end),
        };
        actual.add(&label, &text, &wanted)?;
        Ok(())
    }

    /// All pages of the billable usage; an account that may not ask for it goes without.
    async fn billable(
        &self,
        actual: &mut Actual,
        namespace: Option<&str>,
        since: Date,
        until: Date,
    ) -> Result<(), Failure> {
        let label = "Cloudflare's billable usage";
        let mut records = Vec::new();
        for page in 1..=PAGES {
            let asked = [
                ("from", since.to_string()),
                ("to", until.to_string()),
                ("page", page.to_string()),
            ];
            let asked = asked
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            let path = format!("{}/billable-usage", self.account.path());
            let answer = self.repeat(label, async || self.api.get(&path, &asked).await);
            let answer = answer.await?;
            if matches!(answer.status, 403 | 404) {
                actual.say(format!(
                    "The billable-usage API is not open to this token (HTTP {}).",
                    answer.status
                ));
                return Ok(());
            }
            let mut value = parsed(label, &good(label, answer)?)?;
            let wrong = graphql::errors(&value);
            if !wrong.is_empty() {
                return Err(Failure::usage(format!(
                    "{label}: found an error in the answer: {}",
                    short(&wrong.join("; "))
                )));
            }
            if let Some(of_page) = value.get_mut("result").and_then(Value::as_array_mut) {
                records.append(of_page);
            }
            let pages = value.pointer("/result_info/total_pages");
            let pages = pages.and_then(Value::as_u64).unwrap_or(1);
            if page >= pages {
                break;
            }
            if page == PAGES {
                return Err(Failure::usage(format!(
                    "{label}: found {pages} pages, expected {PAGES} at most: fewer days with --since and --until"
                )));
            }
        }
        let wanted = Wanted {
            namespace: namespace.map(str::to_owned),
            since: Some(since),
            until: Some(until),
        };
        let text = json!({ "success": true, "errors": [], "result": records }).to_string();
        actual.add(label, &text, &wanted)?;
        Ok(())
    }

    /// Asks again where that may help: after 429 when it says so, after 5xx soon.
    async fn repeat(
        &self,
        label: &str,
        request: impl AsyncFn() -> Result<Answer, NoAnswer>,
    ) -> Result<Answer, Failure> {
        let mut attempt = 1;
        loop {
            if interrupt_flag().load(Ordering::Relaxed) {
                return Err(interrupted());
            }
            let answer = request().await.map_err(|e| {
                let api = self.account.api();
                Failure::usage(format!("{label}: {api} cannot be reached ({e})"))
            })?;
            let again = answer.status == 429 || answer.status >= 500;
            if !again || attempt == ATTEMPTS {
                return Ok(answer);
            }
            let soon = Duration::from_millis(200 << attempt);
            let wait = answer.retry_after.unwrap_or(soon);
            if wait > LONGEST_WAIT {
                return Err(Failure::usage(format!(
                    "{label}: found HTTP {} with Retry-After {} s, longer than the {} s that are waited; try again then",
                    answer.status,
                    wait.as_secs(),
                    LONGEST_WAIT.as_secs()
                )));
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }
}

/// The text of an answer that is one.
fn good(label: &str, answer: Answer) -> Result<String, Failure> {
    let told = serde_json::from_str(&answer.text).map(|v: Value| graphql::errors(&v).join("; "));
    let told = match told {
        Ok(message) if !message.is_empty() => format!(": {}", short(&message)),
        _ => String::new(),
    };
    let status = answer.status;
    match status {
        200..=299 => Ok(answer.text),
        401 | 403 => Err(Failure::usage(format!(
            "{label}: the token was refused (HTTP {status}){told}; expected {TOKEN} with Account Analytics Read for {ACCOUNT}"
        ))),
        429 => Err(Failure::usage(format!(
            "{label}: too many requests (HTTP 429), {ATTEMPTS} times{told}; try again later"
        ))),
        500.. => Err(Failure::usage(format!(
            "{label}: Cloudflare has a fault (HTTP {status}), {ATTEMPTS} times{told}; try again later"
        ))),
        _ => Err(Failure::usage(format!(
            "{label}: found HTTP {status}, expected 200{told}"
        ))),
    }
}

fn parsed(label: &str, text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|e| Failure::usage(format!("{label}: found no JSON ({e})")))
}

fn short(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
