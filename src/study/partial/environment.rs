//! Which part of a sweep a batch system gives to this process.

use super::error::PartialError;
use crate::study::grid::Part;

/// The index of a Slurm job array's task.
const SLURM_INDEX: &str = "SLURM_ARRAY_TASK_ID";
/// The completion index of a Kubernetes indexed Job, from 0.
const KUBERNETES_INDEX: &str = "JOB_COMPLETION_INDEX";
/// The number of parts, for systems that do not tell it.
pub const SHARDS: &str = "KVPLAN_SHARDS";

/// Finds the part in the variables of a Slurm job array, or in those of a Kubernetes
/// indexed Job with [`SHARDS`]; and says in which.
///
/// # Errors
/// Which variables are missing, wrong, or contradict each other.
pub fn detect(variable: &dyn Fn(&str) -> Option<String>) -> Result<(Part, String), PartialError> {
    let variables = Variables(variable);
    match (
        variables.number(SLURM_INDEX)?,
        variables.number(KUBERNETES_INDEX)?,
    ) {
        (Some(_), Some(_)) => Err(PartialError::environment(format!(
            "--shard auto: found both {SLURM_INDEX} (Slurm) and {KUBERNETES_INDEX} (Kubernetes), expected one of them"
        ))),
        (None, None) => Err(PartialError::environment(format!(
            "--shard auto: found neither {SLURM_INDEX} (a Slurm job array) nor {KUBERNETES_INDEX} (a Kubernetes indexed Job); expected one of them, or a part such as --shard 1/4"
        ))),
        (Some(id), None) => slurm(&variables, id),
        (None, Some(index)) => kubernetes(&variables, index),
    }
}

const TOO_MANY: &str = "--shard auto: found more than 100,000 parts, expected fewer";

struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    fn number(&self, name: &str) -> Result<Option<u32>, PartialError> {
        let Some(text) = (self.0)(name) else {
            return Ok(None);
        };
        let number = text.trim().parse().map_err(|_| {
            PartialError::environment(format!(
                "--shard auto: {name}: found \"{text}\", expected a whole number of 0 or more"
            ))
        });
        number.map(Some)
    }

    fn required(&self, name: &str, of: &str) -> Result<u32, PartialError> {
        self.number(name)?.ok_or_else(|| {
            PartialError::environment(format!(
                "--shard auto: found {of}, but not {name}; expected both"
            ))
        })
    }
}

/// Tasks are numbered from the least index on, whatever that and the step are.
fn slurm(variables: &Variables, id: u32) -> Result<(Part, String), PartialError> {
    let of = |name| variables.required(name, SLURM_INDEX);
    let (least, most) = (of("SLURM_ARRAY_TASK_MIN")?, of("SLURM_ARRAY_TASK_MAX")?);
    let count = of("SLURM_ARRAY_TASK_COUNT")?;
    let step = variables.number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1);
    let array = format!("array {least}-{most}:{step} of {count} tasks");
    let even = step > 0
        && (least..=most).contains(&id)
        && (id - least).is_multiple_of(step)
        && (most - least) / step + 1 == count;
    if !even {
        return Err(PartialError::environment(format!(
            "--shard auto: found {SLURM_INDEX}={id} in a Slurm {array}, expected indices at even steps, such as --array=1-{}; to repeat some of the tasks, give each its part, such as --shard 2/{}",
            count.max(2),
            count.max(2)
        )));
    }
    if let Some(shards) = variables.number(SHARDS)?.filter(|n| *n != count) {
        return Err(PartialError::environment(format!(
            "--shard auto: found {SHARDS}={shards} and a Slurm {array}, expected as many; to repeat some of the tasks, give each its part, such as --shard 2/{shards}"
        )));
    }
    let part = Part::new((id - least) / step + 1, count)
        .ok_or_else(|| PartialError::environment(TOO_MANY))?;
    Ok((part, format!("{SLURM_INDEX}={id}, Slurm {array}")))
}

fn kubernetes(variables: &Variables, index: u32) -> Result<(Part, String), PartialError> {
    let of = variables.required(SHARDS, KUBERNETES_INDEX)?;
    if index >= of {
        return Err(PartialError::environment(format!(
            "--shard auto: found {KUBERNETES_INDEX}={index} and {SHARDS}={of}, expected an index from 0 to {}: is {SHARDS} the Job's number of completions?",
            of.saturating_sub(1)
        )));
    }
    let part = Part::new(index + 1, of).ok_or_else(|| PartialError::environment(TOO_MANY))?;
    let from = format!("{KUBERNETES_INDEX}={index}, Kubernetes Job with {SHARDS}={of}");
    Ok((part, from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect_in(variables: &str) -> Result<(u32, u32), PartialError> {
        let pairs: Vec<(&str, &str)> = variables
            .split_whitespace()
            .map(|v| v.split_once('=').unwrap())
            .collect();
        let find = |name: &str| {
            let pair = pairs.iter().find(|(n, _)| *n == name);
            pair.map(|(_, value)| (*value).to_owned())
        };
        detect(&find).map(|(part, _)| (part.index, part.of))
    }

    fn slurm(
        id: &str,
        least: &str,
        most: &str,
        count: &str,
        more: &str,
    ) -> Result<(u32, u32), PartialError> {
        detect_in(&format!(
            "SLURM_ARRAY_TASK_ID={id} SLURM_ARRAY_TASK_MIN={least} SLURM_ARRAY_TASK_MAX={most} SLURM_ARRAY_TASK_COUNT={count} {more}"
        ))
    }

    #[test]
    fn slurm_arrays_from_any_index_at_any_step() {
        assert_eq!(slurm("3", "1", "8", "8", ""), Ok((3, 8)));
        assert_eq!(
            slurm("0", "0", "7", "8", "SLURM_ARRAY_TASK_STEP=1"),
            Ok((1, 8))
        );
        assert_eq!(
            slurm("9", "1", "9", "3", "SLURM_ARRAY_TASK_STEP=4"),
            Ok((3, 3))
        );
        // 1-10:4 has the tasks 1, 5 and 9.
        assert_eq!(
            slurm("9", "1", "10", "3", "SLURM_ARRAY_TASK_STEP=4"),
            Ok((3, 3))
        );
        assert_eq!(slurm("2", "1", "2", "2", "KVPLAN_SHARDS=2"), Ok((2, 2)));
    }

    #[test]
    fn kubernetes_indices_count_from_zero() {
        assert_eq!(
            detect_in("JOB_COMPLETION_INDEX=0 KVPLAN_SHARDS=4"),
            Ok((1, 4))
        );
        assert_eq!(
            detect_in("JOB_COMPLETION_INDEX=3 KVPLAN_SHARDS=4"),
            Ok((4, 4))
        );
    }

    #[test]
    fn what_is_missing_or_contradicts_is_named() {
        let error = |r: Result<(u32, u32), PartialError>| r.unwrap_err();
        insta::assert_snapshot!(error(detect_in("")), @"--shard auto: found neither SLURM_ARRAY_TASK_ID (a Slurm job array) nor JOB_COMPLETION_INDEX (a Kubernetes indexed Job); expected one of them, or a part such as --shard 1/4");
        insta::assert_snapshot!(error(detect_in("JOB_COMPLETION_INDEX=1")), @"--shard auto: found JOB_COMPLETION_INDEX, but not KVPLAN_SHARDS; expected both");
        insta::assert_snapshot!(error(detect_in("JOB_COMPLETION_INDEX=4 KVPLAN_SHARDS=4")), @"--shard auto: found JOB_COMPLETION_INDEX=4 and KVPLAN_SHARDS=4, expected an index from 0 to 3: is KVPLAN_SHARDS the Job's number of completions?");
        insta::assert_snapshot!(error(detect_in("JOB_COMPLETION_INDEX=one KVPLAN_SHARDS=4")), @r#"--shard auto: JOB_COMPLETION_INDEX: found "one", expected a whole number of 0 or more"#);
        insta::assert_snapshot!(error(detect_in("JOB_COMPLETION_INDEX=1 SLURM_ARRAY_TASK_ID=1")), @"--shard auto: found both SLURM_ARRAY_TASK_ID (Slurm) and JOB_COMPLETION_INDEX (Kubernetes), expected one of them");
        insta::assert_snapshot!(error(detect_in("SLURM_ARRAY_TASK_ID=1")), @"--shard auto: found SLURM_ARRAY_TASK_ID, but not SLURM_ARRAY_TASK_MIN; expected both");
        // --array=1,3,7
        insta::assert_snapshot!(error(slurm("3", "1", "7", "3", "SLURM_ARRAY_TASK_STEP=1")), @"--shard auto: found SLURM_ARRAY_TASK_ID=3 in a Slurm array 1-7:1 of 3 tasks, expected indices at even steps, such as --array=1-3; to repeat some of the tasks, give each its part, such as --shard 2/3");
        // --array=3, to repeat one task of four
        insta::assert_snapshot!(error(slurm("3", "3", "3", "1", "KVPLAN_SHARDS=4")), @"--shard auto: found KVPLAN_SHARDS=4 and a Slurm array 3-3:1 of 1 tasks, expected as many; to repeat some of the tasks, give each its part, such as --shard 2/4");
    }
}
