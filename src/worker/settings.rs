//! What the Worker is told by its environment.

use kvplan_telemetry::policy::Policy;
use worker::js_sys::{JSON, Reflect};
use worker::wasm_bindgen::JsValue;
use worker::{Env, Request};

/// The variable with the policy: a table, or its JSON as text.
const POLICY: &str = "POLICY";
/// The secret that opens the operator's routes; without it they answer on one's own machine only.
const SECRET: &str = "OPERATOR_SECRET";
/// The header that carries it.
const HEADER: &str = "x-operator-secret";

/// The policy, checked.
pub(crate) fn policy(env: &Env) -> Result<Policy, String> {
    let value = Reflect::get(env, &JsValue::from(POLICY)).unwrap_or_default();
    let text = match value.as_string() {
        Some(text) => text,
        None if value.is_object() => {
            let json = JSON::stringify(&value).map(String::from);
            json.map_err(|_| format!("{POLICY} is no JSON"))?
        }
        None => {
            return Err(format!(
                "the variable {POLICY} is not set to a table; see wrangler.toml"
            ));
        }
    };
    let policy: Policy = serde_json::from_str(&text).map_err(|e| format!("{POLICY}: {e}"))?;
    let checked = policy.validate();
    checked.map_err(|e| format!("{POLICY} `{}`: {e}", policy.name))?;
    Ok(policy)
}

/// Whether a request may do what only the operator may. Without a secret, only on one's own machine: a deployed
/// Worker never has such a host.
pub(crate) fn is_operator(request: &Request, env: &Env) -> bool {
    // An empty one would be opened by an empty header.
    let secret = env.secret(SECRET).map(|s| s.to_string()).ok();
    let Some(secret) = secret.filter(|s| !s.is_empty()) else {
        let url = request.url();
        let host = url.as_ref().map_or(None, |u| u.host_str());
        return matches!(host, Some("127.0.0.1" | "localhost" | "[::1]"));
    };
    let given = request.headers().get(HEADER).ok().flatten();
    given.is_some_and(|g| is_same(g.as_bytes(), secret.as_bytes()))
}

/// Compares in a time that tells nothing but the length.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let differ = a.iter().zip(b).fold(0, |d, (x, y)| d | (x ^ y));
    a.len() == b.len() && std::hint::black_box(differ) == 0
}
