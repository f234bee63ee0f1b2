//! Where, as traffic grows, something begins to hold: root finding within one replication.
//!
//! What is asked at a traffic gives a margin, above 0 where it holds. The step of the levels at which it begins is
//! narrowed by the ITP method (Oliveira and Takahashi, "An Enhancement of the Bisection Method Average Performance
//! Preserving Minmax Optimality", ACM Transactions on Mathematical Software 47(1), 2020): it asks where a line through
//! margins says, a little nearer to the middle, so that both ends come closer; and never so far from the middle (of the
//! logarithms) that it might have to ask more than once more often than bisection. Where no line
//! tells anything, as of a yes or no, it is bisection.
//!
//! Where another replication has found it, that is asked first ([`Search::hint`]). Of what is smooth, a use that grows
//! with traffic, no two sides are needed ([`Search::smooth`]): it is found where the use is nearly what it is held against,
//! once the line says that it begins no further away than is asked for. What the line is wrong by is then a small part of
//! that, unless the use levels off within a hundredth of what it is held against.

/// Where something begins to hold in one replication, on a range of traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Onset {
    /// It holds at the low end of the range already.
    Already,
    /// From this traffic on (requests a month).
    At(f64),
    /// It does not hold at any level of the range.
    Never,
}

/// How much more often than bisection it may be asked: the less, the nearer to the middle the first answers have to be.
const SLACK: f64 = 1.0;
/// How far from the guess it is asked, towards the middle, as a share of the width that is aimed at: if the guess is
/// right, its two sides are then closer than that.
const NUDGE: f64 = 0.3;
/// The same of the distance to where it was asked before, for a guess that may be as wrong as that share of it.
const DOUBT: f64 = 0.05;
/// How far from 0 the margin of something smooth is, in tolerances, where it has been found: about twice what its traffic is
/// off.
const LEFT: f64 = 2.0;
/// How far from a hint it is asked next, in tolerances, where no line tells anything.
const STEPS: [f64; 2] = [2.0, 6.0];
/// Share of the room that is used, as traffic is rounded to whole requests.
const ROOM: f64 = 0.95;

/// How a search is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Search<'a> {
    /// Where asking costs nothing, rising.
    pub known: &'a [u64],
    /// Where it begins to hold in another replication.
    pub hint: Option<f64>,
    /// Whether the margin has no steps, is what something is above 1 as a share of what it is held against, and never 0
    /// below.
    pub smooth: bool,
    /// Ends closer than the factor `1 + tolerance` are not told apart.
    pub tolerance: f64,
}

/// Finds the first of `levels` (rising) at which `margin` is above 0, then narrows the step before it until its ends are
/// within the tolerance.
///
/// # Errors
/// The first of `margin`.
pub fn onset<E>(
    levels: &[u64],
    search: &Search,
    mut margin: impl FnMut(u64) -> Result<f64, E>,
) -> Result<Onset, E> {
    let mut ask = |traffic: u64| {
        Ok(Asked {
            traffic,
            margin: margin(traffic)?,
        })
    };
    let mut below = None;
    for level in levels {
        let asked = ask(*level)?;
        if !asked.holds() {
            below = Some(asked);
            continue;
        }
        let Some(low) = below else {
            return Ok(Onset::Already);
        };
        let bracket = Bracket {
            low,
            high: asked,
            below: None,
            above: None,
            last: None,
        };
        return bracket.among(search, &mut ask)?.narrow(search, &mut ask);
    }
    Ok(Onset::Never)
}

/// The same for several runs of levels, rising, between which nothing is known; the first of all
/// levels is `least`.
///
/// # Errors
/// As [`onset`].
pub fn onset_of_runs<E>(
    runs: &[Vec<u64>],
    least: u64,
    search: &Search,
    mut margin: impl FnMut(u64) -> Result<f64, E>,
) -> Result<Onset, E> {
    for run in runs {
        match onset(run, search, &mut margin)? {
            Onset::Never => {}
            Onset::Already if run[0] > least => return Ok(Onset::At(run[0] as f64)),
            found => return Ok(found),
        }
    }
    Ok(Onset::Never)
}

/// What was asked at a traffic, and by how much it holds there.
#[derive(Debug, Clone, Copy)]
struct Asked {
    traffic: u64,
    margin: f64,
}

impl Asked {
    fn holds(self) -> bool {
        self.margin > 0.0
    }

    /// Where the line through both is 0.
    fn zero(self, other: Asked) -> f64 {
        let (x, y) = (self.traffic as f64, other.traffic as f64);
        x - self.margin * (y - x) / (other.margin - self.margin)
    }

    /// Where the hyperbola through three is 0: a line divided by a line, which has no extremes.
    fn zero_of_curve(self, second: Asked, third: Asked) -> f64 {
        // With z for the zero: margin = (x - z) / (a x + b), so z is that combination of the x in which a and b cancel.
        let [x, y, z] = [self, second, third].map(|a| a.traffic as f64);
        let weights = [
            second.margin * third.margin * (y - z),
            third.margin * self.margin * (z - x),
            self.margin * second.margin * (x - y),
        ];
        (weights[0] * x + weights[1] * y + weights[2] * z) / weights.iter().sum::<f64>()
    }
}

/// Two ends between which something begins to hold.
#[derive(Debug, Clone, Copy)]
struct Bracket {
    /// Here it does not hold.
    low: Asked,
    /// Here it does.
    high: Asked,
    /// The next answer below the low end.
    below: Option<Asked>,
    /// The next above the high one.
    above: Option<Asked>,
    /// Where it was asked last, since the bracket is narrowed.
    last: Option<u64>,
}

impl Bracket {
    fn add(&mut self, asked: Asked) {
        let (end, outside) = match asked.holds() {
            true => (&mut self.high, &mut self.above),
            false => (&mut self.low, &mut self.below),
        };
        *outside = Some(std::mem::replace(end, asked));
    }

    /// The first step between what is known inside, and where it is likely to begin, at which it begins to hold.
    fn among<E>(
        mut self,
        search: &Search,
        ask: &mut impl FnMut(u64) -> Result<Asked, E>,
    ) -> Result<Self, E> {
        let known = search.known;
        let inside = self.low.traffic + 1..self.high.traffic;
        for traffic in known.iter().filter(|x| inside.contains(x)) {
            self.add(ask(*traffic)?);
            if self.high.traffic == *traffic {
                break;
            }
        }
        if let Some(above) = known.iter().find(|x| **x > self.high.traffic) {
            self.above = Some(ask(*above)?);
        }
        let inside = self.low.traffic + 1..self.high.traffic;
        let hint = search.hint.map(|x| x.round() as u64);
        if let Some(traffic) = hint.filter(|x| inside.contains(x))
            && self.width() > search.tolerance.ln_1p()
        {
            self.step_from(traffic, search, ask)?;
        }
        Ok(self)
    }

    /// Asks at a hint, and a little further on where that does not tell how far it is.
    fn step_from<E>(
        &mut self,
        hint: u64,
        search: &Search,
        ask: &mut impl FnMut(u64) -> Result<Asked, E>,
    ) -> Result<(), E> {
        let first = ask(hint)?;
        self.add(first);
        self.last = Some(hint);
        for step in STEPS {
            let further = (1.0 + step * search.tolerance).powi(if first.holds() { -1 } else { 1 });
            let traffic = (hint as f64 * further).round() as u64;
            let inside = self.low.traffic + 1..self.high.traffic;
            if search.smooth || self.guess().is_some() || !inside.contains(&traffic) {
                break;
            }
            self.add(ask(traffic)?);
            self.last = Some(traffic);
        }
        Ok(())
    }

    /// Asks between the ends until they are within the tolerance.
    fn narrow<E>(
        mut self,
        search: &Search,
        ask: &mut impl FnMut(u64) -> Result<Asked, E>,
    ) -> Result<Onset, E> {
        let aim = search.tolerance.ln_1p();
        let halvings = (self.width() / aim).log2().ceil().max(0.0);
        // What is smooth needs no two sides, and is asked as near to an end as it is likely to begin.
        let slack = SLACK + f64::from(u8::from(search.smooth));
        let mut most = ROOM * aim * (halvings + slack - 1.0).exp2();
        while self.width() > aim {
            if search.smooth
                && let Some(found) = self.settled(search.tolerance)
            {
                return Ok(Onset::At(found));
            }
            let Some(traffic) = self.next(search, most) else {
                break;
            };
            self.add(ask(traffic)?);
            self.last = Some(traffic);
            most /= 2.0;
        }
        let (low, high) = (self.low.traffic as f64, self.high.traffic as f64);
        Ok(Onset::At((low * high).sqrt()))
    }

    /// Where to ask next, so that what is left is not wider than `most`; nowhere, if no whole number lies between.
    fn next(&self, search: &Search, most: f64) -> Option<u64> {
        let (low, high) = (self.low.traffic, self.high.traffic);
        let (width, aim) = (self.width(), search.tolerance.ln_1p());
        let middle = (low as f64).ln() + width / 2.0;
        let at = self.guess().map_or(middle, |guess| {
            let guess = guess.ln();
            let change = self
                .last
                .map_or(0.0, |last| (guess - (last as f64).ln()).abs());
            let nudge = match search.smooth {
                true => 0.0,
                false => NUDGE * aim + DOUBT * change,
            };
            let room = (most - width / 2.0).max(0.0);
            let from_middle = ((guess - middle).abs() - nudge).clamp(0.0, room);
            middle + from_middle.copysign(guess - middle)
        });
        (high - low > 1).then(|| (at.exp().round() as u64).clamp(low + 1, high - 1))
    }

    /// Where the margin of something smooth is 0, if it was asked last near there and what it said is near 0.
    fn settled(&self, tolerance: f64) -> Option<f64> {
        let ends = [self.low, self.high];
        let last = ends.into_iter().find(|a| Some(a.traffic) == self.last)?;
        let at = last.traffic as f64;
        if last.margin == 0.0 {
            return Some(at);
        }
        let is_near = |x: &f64| (x / at).ln().abs() <= tolerance.ln_1p();
        let guess = self.guess().filter(is_near);
        guess.filter(|_| last.margin.abs() <= LEFT * tolerance)
    }

    /// Where between the ends the margin is likely to be 0.
    fn guess(&self) -> Option<f64> {
        let (low, high) = (self.low, self.high);
        let is_between = |x: &f64| (low.traffic as f64..=high.traffic as f64).contains(x);
        let line = |a: Asked, b: Asked| Some(a.zero(b)).filter(is_between);
        // Through two that say the same there is no hyperbola.
        let differs = |third: &Asked| third.margin != low.margin && third.margin != high.margin;
        if low.margin < 0.0 {
            // Of the answers outside, the nearer.
            let away =
                |a: &Asked| (a.traffic as f64 / low.traffic as f64).ln() - self.width() / 2.0;
            let outside = self.below.into_iter().chain(self.above);
            let third = outside.min_by(|a, b| away(a).abs().total_cmp(&away(b).abs()));
            let third = third.filter(differs);
            let curve = third.map(|third| low.zero_of_curve(high, third));
            let is_inside = |x: &f64| *x > low.traffic as f64 && *x < high.traffic as f64;
            curve.filter(is_inside).or_else(|| line(low, high))
        } else {
            // The low end says nothing of how far it is.
            let above = self.above.filter(|a| a.margin > high.margin)?;
            line(high, above)
        }
    }

    /// Of the logarithms.
    fn width(&self) -> f64 {
        (self.high.traffic as f64 / self.low.traffic as f64).ln()
    }
}

#[cfg(test)]
mod tests;
