//! A job of a shell and Debian's tools: coreutils, findutils, grep, sed, mawk, tar, gzip and xz.

use kpol_tests::service::{Program, Stage, inside};
use kpol_tests::skip::Skip;

/// Sorts, counts, packs and checks; then waits for orders. SIGHUP reads its settings again, SIGTERM removes what is half done.
const JOB: &str = r#"
set -eu
cd /srv/job
settings() { level=$(cat /srv/settings); echo "level $level"; }
settings
trap settings HUP
work=$(mktemp -d)
trap 'echo "cleaning up"; rm -rf "$work"; exit 143' TERM

seq 1 60000 | sort -R > "$work/numbers"
sort -S 100k -T "$work" -n "$work/numbers" > "$work/sorted"
head -n 1 "$work/sorted"; tail -n 1 "$work/sorted"; wc -l < "$work/sorted"
grep -c 7 "$work/sorted"; sed -n 's/^77$/seventy-seven/p' "$work/sorted"; mawk '{ s += $1 } END { print s }' "$work/sorted"
cut -c 1 "$work/sorted" | uniq -c | sort -n | head -n 1 | tr -d ' '
split -l 20000 "$work/sorted" part-
find . -name 'part-*' -print0 | xargs -0 -n 1 -P 2 gzip -"$level"
tar -cf "$work/all.tar" part-*.gz; xz -T 2 -0 "$work/all.tar"
mkdir out; ln -s out link; ln part-aa.gz out/hard
tar -xJf "$work/all.tar.xz" -C out; chmod 640 out/part-aa.gz; touch -d 2020-01-01 out/part-ab.gz
sha256sum out/part-aa.gz | cut -c 1-64 > sum; cp -a out copy; mv copy kept; du -s kept > /dev/null; ls -l kept > listing
gzip -dc out/part-a?.gz | cmp - "$work/sorted" && echo "the same"
dd if=/dev/zero of=zeros bs=64k count=4 conv=fsync 2>/dev/null; truncate -s 100 zeros; stat -c %s zeros; sync zeros
date -d @0 -u +%F; df . > /dev/null; nproc > /dev/null; id -u; env true; timeout 60 true; nice true; printf '%s\n' done > "$work/flag"

# A step that crashes is made again.
sh -c 'kill -SEGV $$' 2>/dev/null && exit 1 || echo "step ended with $?"
sh -c 'echo "again"'
rm -r kept
echo "ready"
while :; do sleep 1000 & wait $! || :; done
"#;

pub fn session(stage: &Stage<'_>) -> Result<(), Skip> {
    stage.folder("srv/job", 1000);
    stage.write("srv/settings", "1");
    stage.write("srv/start.sh", JOB);
    let mut job = stage.start(&Program::new(&[&inside("bin/dash")?, "/srv/start.sh"]))?;
    for line in [
        "level 1",
        "1",
        "60000",
        "60000",
        "20634",
        "seventy-seven",
        "1800030000",
        "the same",
        "100",
        "1970-01-01",
        "1000",
    ] {
        job.says(&[line]);
    }
    job.says(&["step ended with 139"]);
    job.says(&["again"]);
    job.says(&["ready"]);
    assert_eq!(stage.text("srv/job/sum").trim().len(), 64);
    assert!(stage.path("srv/job/out/hard").exists() && stage.path("srv/job/link/part-ac.gz").exists());
    assert!(!stage.path("srv/job/kept").exists());
    assert!(std::fs::read_dir(stage.path("tmp")).unwrap().count() > 0);

    // Its settings are read again.
    stage.write("srv/settings", "9");
    job.signal(1, libc::SIGHUP);
    job.says(&["level 9"]);

    // A stop that cleans up.
    job.signal(1, libc::SIGTERM);
    job.says(&["cleaning up"]);
    let (status, said) = job.ends();
    assert_eq!(status, Some(143), "{said}");
    assert_eq!(std::fs::read_dir(stage.path("tmp")).unwrap().count(), 0);
    Ok(())
}
