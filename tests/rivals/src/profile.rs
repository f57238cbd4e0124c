//! What is needed of a profile: for x86_64, without conditions on the surroundings.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    pub default_action: String,
    #[serde(default)]
    pub default_errno_ret: Option<u16>,
    #[serde(default)]
    pub syscalls: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub names: Vec<String>,
    pub action: String,
    #[serde(default)]
    pub errno_ret: Option<u16>,
    #[serde(default)]
    pub args: Vec<Arg>,
    #[serde(default)]
    includes: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    excludes: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Arg {
    pub index: u32,
    pub value: u64,
    #[serde(default)]
    pub value_two: u64,
    pub op: String,
}

pub fn read(text: &str) -> Result<Profile, String> {
    let profile: Profile = serde_json::from_str(text).map_err(|error| error.to_string())?;
    for entry in &profile.syscalls {
        if !entry.includes.is_empty() || !entry.excludes.is_empty() {
            return Err(format!("an entry of {:?} hangs on the surroundings", entry.names.first()));
        }
        let mut indices: Vec<u32> = entry.args.iter().map(|arg| arg.index).collect();
        indices.sort_unstable();
        indices.dedup();
        if indices.len() < entry.args.len() {
            return Err(format!("an entry of {:?} tests an argument twice", entry.names.first()));
        }
    }
    Ok(profile)
}
