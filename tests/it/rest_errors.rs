//! What a service's refusals, and the lack of an answer, are to the metrics system: against a server
//! that says what it is told to.

use crate::cloudflare::workerd::in_real_time;
use kvplan::telemetry::ports::{Kv, KvError, PutOptions};
use kvplan_remote::bridge::{Bridge, BridgeConfig};
use kvplan_remote::failure::{Failure, Reach};
use kvplan_remote::rest::{Rest, RestConfig};
use kvplan_remote::{Secret, Values};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Answers each connection's one request with the same words, and tells what was asked.
pub(crate) fn server(answer: Option<&'static str>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    let (told, asked) = channel();
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let from = head.len();
                if reader.read_line(&mut head).unwrap() == 0 {
                    break;
                }
                let line = head[from..].to_ascii_lowercase();
                if let Some(n) = line.strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            if told.send(head + &String::from_utf8_lossy(&body)).is_err() {
                return;
            }
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                // Kept open, and never answered.
                None => open.push(stream),
            }
        }
    });
    (root, asked)
}

fn rest(root: &str) -> Rest {
    let config = RestConfig {
        root: format!("{root}/client/v4/accounts/acc"),
        namespace: "ns".into(),
        token: Some(Secret::new("t0ken")),
        values: Values::Text,
        timeout: Duration::from_millis(500),
    };
    assert!(!format!("{config:?}").contains("t0ken"));
    Rest::new(&config).unwrap()
}

/// How a read, a bulk read, a write, a delete and a list end, and what is said about the last.
fn all_operations(answer: Option<&'static str>) -> ([Option<KvError>; 5], Failure) {
    let (root, _asked) = server(answer);
    let kv = rest(&root);
    let ends = in_real_time(async {
        let none = PutOptions::default();
        [
            kv.get("k").await.err(),
            kv.read(&["k", "l"], Default::default()).await.err(),
            kv.put("k", b"v".to_vec(), none).await.err(),
            kv.delete("k").await.err(),
            kv.list("", None, 10).await.err(),
        ]
    });
    (ends, kv.last_failure().unwrap())
}

fn causes(ends: &[Option<KvError>; 5]) -> [Option<&'static str>; 5] {
    ends.each_ref().map(|e| e.as_ref().map(KvError::cause))
}

#[test]
fn a_refused_token_is_told_and_not_shown() {
    let (ends, failure) = all_operations(Some(
        "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n\
         {\"success\":false,\"errors\":[{\"code\":10000,\"message\":\"Authentication error\"}],\"result\":null}",
    ));
    for end in ends {
        let end = end.unwrap();
        assert!(!end.is_retryable());
        assert_eq!(end.to_string(), "401: Authentication error");
    }
    assert_eq!(
        failure.to_string(),
        "HTTP 401: Authentication error (code 10000)"
    );
}

#[test]
fn too_many_requests_may_be_tried_later_and_say_when() {
    let (ends, failure) = all_operations(Some(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\nConnection: close\r\n\r\n\
         {\"success\":false,\"errors\":[{\"code\":971,\"message\":\"Please wait\"}]}",
    ));
    assert_eq!(causes(&ends), [Some("rate_limited"); 5]);
    assert_eq!(failure.retry_after, Some(Duration::from_secs(17)));
    assert_eq!(failure.message, "Please wait");
}

#[test]
fn a_used_up_day_is_no_rate_limit() {
    let (ends, _) = all_operations(Some(
        "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n\r\n\
         {\"success\":false,\"errors\":[{\"code\":10048,\"message\":\"free usage limit\"}]}",
    ));
    assert_eq!(ends, [const { Some(KvError::QuotaExceeded) }; 5]);
}

#[test]
fn an_error_of_the_service_is_unavailable() {
    let (ends, failure) = all_operations(Some(
        "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n<html>oops</html>",
    ));
    assert_eq!(causes(&ends), [Some("unavailable"); 5]);
    assert_eq!(failure.reach, Reach::Answered(500));
    assert!(failure.message.contains("oops"), "{failure}");
}

#[test]
fn an_answer_that_is_not_json_is_no_success() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>log in first</html>";
    let (ends, failure) = all_operations(Some(answer));
    // A value is any bytes: nothing tells it from a page.
    assert_eq!(ends[0], None);
    assert_eq!(causes(&ends)[1..], [Some("unavailable"); 4]);
    assert!(failure.message.contains("log in first"), "{failure}");
}

#[test]
fn a_failure_with_status_200_is_no_success() {
    let (ends, failure) = all_operations(Some(
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\
         {\"success\":false,\"errors\":[{\"code\":10099,\"message\":\"half done\"}],\"result\":null}",
    ));
    assert_eq!(causes(&ends)[1..], [Some("unavailable"); 4]);
    assert_eq!(
        (failure.code, failure.message.as_str()),
        (Some(10_099), "half done")
    );
}

#[test]
fn no_answer_in_time_is_a_timeout_and_no_connection_is_not() {
    let (root, _asked) = server(None);
    let kv = rest(&root);
    in_real_time(async {
        assert_eq!(kv.get("k").await, Err(KvError::Timeout));
        let written = kv.put("k", b"v".to_vec(), PutOptions::default()).await;
        assert_eq!(written, Err(KvError::Timeout));
    });
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let root = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let kv = rest(&root);
    assert_eq!(in_real_time(kv.get("k")), Err(KvError::Unavailable));
    assert_eq!(kv.last_failure().unwrap().reach, Reach::Unreachable);
}

#[test]
fn an_absent_key_is_told_from_an_absent_namespace() {
    for (code, absent) in [(10_009, true), (10_013, false)] {
        let answer = format!(
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n\
             {{\"success\":false,\"errors\":[{{\"code\":{code},\"message\":\"not found\"}}]}}"
        );
        let (root, _asked) = server(Some(answer.leak()));
        let got = in_real_time(rest(&root).get("k"));
        assert_eq!(got == Ok(None), absent, "{code}: {got:?}");
    }
}

#[test]
fn requests_are_as_cloudflare_documents_them() {
    let (root, asked) = server(Some(
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"success\":true,\"result\":{\"values\":{\"a\":\"1\"}}}",
    ));
    let kv = rest(&root);
    let base = "/client/v4/accounts/acc/storage/kv/namespaces/ns";
    let lower = || asked.recv().unwrap().replace("\r\n", "\n");
    in_real_time(async {
        let read = kv.read(&["a", "b"], Default::default()).await.unwrap();
        assert_eq!(read, [Some(b"1".to_vec().into()), None]);
        let put = PutOptions {
            expiration_ttl: Some(Duration::from_secs(60)),
            metadata: Some(b"{\"a\":1}".to_vec().into()),
        };
        kv.put("a/ b", b"kvplan".to_vec(), put).await.unwrap();
        for key in ["", ".", ".."] {
            assert!(matches!(kv.delete(key).await, Err(KvError::Invalid(_))));
        }
        kv.delete("../x").await.unwrap();
    });
    let bulk = lower();
    assert!(
        bulk.starts_with(&format!("POST {base}/bulk/get HTTP/1.1\n")),
        "{bulk}"
    );
    assert!(bulk.contains("authorization: Bearer t0ken\n"), "{bulk}");
    assert!(
        bulk.ends_with("{\"keys\":[\"a\",\"b\"],\"type\":\"text\"}"),
        "{bulk}"
    );
    let put = lower();
    let start = format!("PUT {base}/values/a%2F%20b?expiration_ttl=60 HTTP/1.1\n");
    assert!(put.starts_with(&start), "{put}");
    // The boundary is not what the value is.
    assert!(
        put.contains("multipart/form-data; boundary=kvplan-kvplan\n"),
        "{put}"
    );
    assert!(
        put.contains("name=\"metadata\"\n\n{\"a\":1}\n--kvplan-kvplan--\n"),
        "{put}"
    );
    // Not the namespace itself: of the deletes, only this came.
    let delete = lower();
    assert!(
        delete.starts_with(&format!("DELETE {base}/values/..%2Fx HTTP/1.1\n")),
        "{delete}"
    );
    assert!(asked.try_recv().is_err());
}

#[test]
fn a_bridge_that_is_none_is_told() {
    let answer = "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nnothing here";
    let (root, _asked) = server(Some(answer));
    let config = BridgeConfig {
        root,
        secret: None,
        values: Values::Text,
        timeout: Duration::from_secs(5),
    };
    let kv = Bridge::new(&config).unwrap();
    let got = in_real_time(kv.get("k"));
    assert_eq!(got.unwrap_err().cause(), "invalid");
    let said = kv.last_failure().unwrap().to_string();
    assert!(
        said.contains("no answer of a bridge") && said.contains("nothing here"),
        "{said}"
    );
}

/// Whoever answers for ever fills no memory.
#[test]
fn an_answer_has_a_longest_length() {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "a".repeat((64 << 20) + 1));
    let (root, _asked) = server(Some(endless.leak()));
    let config = BridgeConfig {
        root,
        secret: None,
        values: Values::Text,
        timeout: Duration::from_secs(60),
    };
    let bridge = Bridge::new(&config).unwrap();
    assert!(in_real_time(async { bridge.get("k").await }).is_err());
    let failure = bridge.last_failure().unwrap();
    assert!(failure.message.contains("longer than"), "{failure:?}");
}
