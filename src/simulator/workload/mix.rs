//! What requests are like: provider, latency, success and tokens.

use super::arrival::ArrivalKind;
use super::spec::{Tokens, WorkloadSpec};
use crate::models::dist::Sampler;
use crate::sim::random::{StreamRng, Streams};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use std::iter::zip;
use std::time::Duration;

/// Requests that are drawn at once.
pub(super) const AT_ONCE: usize = 64;

/// What is known of a request; the rest is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Known {
    /// Position in [`WorkloadSpec::providers`].
    pub provider: Option<u16>,
    /// How long the provider took.
    pub latency: Option<Duration>,
    /// Whether the provider answered without an error.
    pub success: Option<bool>,
    /// Tokens used.
    pub tokens: Option<u32>,
}

/// Draws what requests are like: provider, latency, success and tokens.
#[derive(Debug, Clone)]
pub struct RequestMix {
    providers: Vec<Provider>,
    choice: StreamRng,
    latency: StreamRng,
    success: StreamRng,
    tokens: StreamRng,
}

/// Requests that were drawn at once, by what is drawn of each.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    provider: [u16; AT_ONCE],
    latency: [Duration; AT_ONCE],
    success: [bool; AT_ONCE],
    tokens: [u32; AT_ONCE],
}

impl Default for Drawn {
    fn default() -> Self {
        Drawn {
            provider: [0; AT_ONCE],
            latency: [Duration::ZERO; AT_ONCE],
            success: [false; AT_ONCE],
            tokens: [0; AT_ONCE],
        }
    }
}

impl Drawn {
    /// One of them.
    #[inline]
    pub(super) fn request(&self, i: usize) -> ArrivalKind {
        ArrivalKind::Record {
            provider: self.provider[i],
            latency: self.latency[i],
            success: self.success[i],
            tokens: self.tokens[i],
        }
    }
}

#[derive(Debug, Clone)]
struct Provider {
    /// Upper end of the cumulative shares.
    upto: f64,
    success: f64,
    latency: Sampler,
    tokens: Tokens,
}

impl RequestMix {
    /// The providers of a workload.
    pub fn new(spec: &WorkloadSpec, streams: &Streams) -> Self {
        let mut upto = 0.0;
        let providers = spec
            .providers
            .iter()
            .map(|p| {
                upto += p.share.get();
                Provider {
                    upto,
                    success: p.success.get(),
                    latency: p.latency.sampler(),
                    tokens: p.tokens,
                }
            })
            .collect();
        RequestMix {
            providers,
            choice: streams.stream("providers"),
            latency: streams.stream("latency"),
            success: streams.stream("success"),
            tokens: streams.stream("tokens"),
        }
    }

    /// The next requests of which nothing is known: the same as one by one, as what is drawn of a kind has its own random
    /// numbers, but the processor need not have one for it to begin the next.
    #[inline(never)]
    pub(super) fn draw(&mut self, drawn: &mut Drawn) {
        drawn.provider.fill_with(|| self.provider());
        for (latency, provider) in zip(&mut drawn.latency, drawn.provider) {
            *latency = self.latency(provider);
        }
        for (success, provider) in zip(&mut drawn.success, drawn.provider) {
            *success = self.success(provider);
        }
        for (tokens, provider) in zip(&mut drawn.tokens, drawn.provider) {
            *tokens = self.tokens(provider);
        }
    }

    /// A request with what is known of it, the rest drawn.
    pub fn complete(&mut self, known: Known) -> ArrivalKind {
        let provider = known.provider.unwrap_or_else(|| self.provider());
        ArrivalKind::Record {
            provider,
            latency: known.latency.unwrap_or_else(|| self.latency(provider)),
            success: known.success.unwrap_or_else(|| self.success(provider)),
            tokens: known.tokens.unwrap_or_else(|| self.tokens(provider)),
        }
    }

    #[inline]
    fn provider(&mut self) -> u16 {
        let u: f64 = self.choice.random();
        let last = self.providers.len() - 1;
        let below = self.providers[..last].iter().position(|p| u < p.upto);
        below.unwrap_or(last) as u16
    }

    #[inline]
    fn latency(&mut self, provider: u16) -> Duration {
        let p = &self.providers[usize::from(provider)];
        p.latency.sample(&mut self.latency)
    }

    #[inline]
    fn success(&mut self, provider: u16) -> bool {
        let p = &self.providers[usize::from(provider)];
        self.success.random::<f64>() < p.success
    }

    #[inline]
    fn tokens(&mut self, provider: u16) -> u32 {
        let p = &self.providers[usize::from(provider)];
        p.tokens.sample(&mut self.tokens)
    }
}

impl Tokens {
    #[inline]
    fn sample(&self, rng: &mut StreamRng) -> u32 {
        match *self {
            Tokens::Constant { value } => value,
            Tokens::Uniform { low, high } => rng.random_range(low..=high),
            Tokens::Lognormal { median, sigma } => {
                let z: f64 = StandardNormal.sample(rng);
                (median * (sigma * z).exp()) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> WorkloadSpec {
        toml::from_str(include_str!("../../../models/workloads/gateway.toml")).unwrap()
    }

    #[test]
    fn many_at_once_are_the_same_as_one_by_one() {
        let streams = Streams::new(2, 0);
        let mut many = RequestMix::new(&spec(), &streams);
        let mut one = RequestMix::new(&spec(), &streams);
        let mut drawn = Drawn::default();
        for _ in 0..3 {
            many.draw(&mut drawn);
            for i in 0..AT_ONCE {
                assert_eq!(drawn.request(i), one.complete(Known::default()));
            }
        }
    }

    #[test]
    fn providers_successes_and_tokens_follow_the_mix() {
        let spec = spec();
        let mut mix = RequestMix::new(&spec, &Streams::new(2, 0));
        let n = 60_000;
        let mut counts = vec![0.0; spec.providers.len()];
        let mut successes = vec![0.0; spec.providers.len()];
        for _ in 0..n {
            if let ArrivalKind::Record {
                provider, success, ..
            } = mix.complete(Known::default())
            {
                counts[provider as usize] += 1.0;
                successes[provider as usize] += f64::from(success);
            }
        }
        for (i, p) in spec.providers.iter().enumerate() {
            let (share, ok) = (p.share.get(), p.success.get());
            let sd = (n as f64 * share * (1.0 - share)).sqrt();
            assert!((counts[i] - n as f64 * share).abs() < 4.0 * sd);
            let sd = (counts[i] * ok * (1.0 - ok)).sqrt();
            assert!((successes[i] - counts[i] * ok).abs() < 4.0 * sd);
        }
    }
}
