//! JSON text → [`Profile`], with the place in the text where something is wrong.
//!
//! ```text
//! { "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["ptrace"], "action": "DENY" }] }
//!                                                                  syscalls[0].action: no action is called `DENY`
//! ```
//!
//! Strict where Go's `encoding/json` and crun's parser are strict: no comments, no trailing commas. Lenient where
//! they are: fields that nobody knows are skipped, names of fields may differ in case, `null` is "not given".
//!
//! INVARIANT (bounded): at most [`MOST_BYTES`] of text, nesting at most 128 (serde_json's own limit).

use std::fmt;

use serde_json::{Map, Value};

use super::profile::{ActionName, ArchMap, Arg, Entry, Filter, Op, Profile, ValueTwo};
use crate::spec::{Arch, KernelVersion};
use crate::tables;

/// The longest text that is looked at.
pub const MOST_BYTES: usize = 16 << 20;

/// What is wrong with the text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Field of the profile (`syscalls[3].args[0].op`), or line and column where the text is not JSON.
    pub place: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.place, self.message) }
    }
}

impl std::error::Error for ReadError {}

/// Reads a profile.
pub fn read(text: &[u8]) -> Result<Profile, ReadError> {
    if text.len() > MOST_BYTES {
        let message = format!("{} bytes are more than the {MOST_BYTES} that are read", text.len());
        return Err(wrong(&Place::Top, message));
    }
    let value: Value = serde_json::from_slice(text).map_err(|error| ReadError {
        place: format!("line {}, column {}", error.line(), error.column()),
        message: format!("not JSON: {error}"),
    })?;
    let top = Object::new(&value, Place::Top)?;
    let default_action = match top.get("defaultAction") {
        Some((value, place)) => action(value, &place)?,
        None => return Err(top.wrong("defaultAction", "is missing; nothing says what other calls get")),
    };
    let default_errno_ret = errno(&top, "defaultErrnoRet", "defaultErrno")?;
    Ok(Profile {
        default_action,
        default_errno_ret,
        architectures: top.list("architectures", arch)?,
        arch_map: top.list("archMap", |value, place| {
            let row = Object::new(value, *place)?;
            let (value, place) = row.required("architecture")?;
            Ok(ArchMap { arch: arch(value, &place)?, sub: row.list("subArchitectures", arch)? })
        })?,
        flags: top.list("flags", string)?,
        listener_path: top.optional("listenerPath", string)?.filter(|path| !path.is_empty()),
        listener_metadata: top.optional("listenerMetadata", string)?,
        syscalls: top.list("syscalls", entry)?,
    })
}

fn entry(value: &Value, place: &Place<'_>) -> Result<Entry, ReadError> {
    let entry = Object::new(value, *place)?;
    let mut names = entry.list("names", string)?;
    if let Some(name) = entry.optional("name", string)?.filter(|name| !name.is_empty()) {
        if !names.is_empty() {
            return Err(wrong(place, "has both `name` and `names`; runtimes refuse that"));
        }
        names.push(name);
    }
    let (value, place) = entry.required("action")?;
    Ok(Entry {
        names,
        action: action(value, &place)?,
        errno_ret: errno(&entry, "errnoRet", "errno")?,
        args: entry.list("args", arg)?,
        includes: entry.optional("includes", filter)?.unwrap_or_default(),
        excludes: entry.optional("excludes", filter)?.unwrap_or_default(),
    })
}

fn arg(value: &Value, place: &Place<'_>) -> Result<Arg, ReadError> {
    let arg = Object::new(value, *place)?;
    let index = arg.optional("index", number)?.unwrap_or(0);
    let index = u8::try_from(index).ok().filter(|&index| index < 6);
    let Some(index) = index else {
        return Err(arg.wrong("index", "a call has the arguments 0 to 5"));
    };
    let (value, place) = arg.required("op")?;
    let name = text(value, &place)?;
    let Some(op) = Op::from_name(name) else {
        return Err(wrong(&place, format!("no comparison is called `{name}`")));
    };
    let two = arg.optional("valueTwo", number)?.unwrap_or(0);
    let value_two = ValueTwo((op == Op::MaskedEq).then_some(two));
    Ok(Arg { index, value: arg.optional("value", number)?.unwrap_or(0), value_two, op })
}

fn filter(value: &Value, place: &Place<'_>) -> Result<Filter, ReadError> {
    let filter = Object::new(value, *place)?;
    Ok(Filter {
        arches: filter.list("arches", string)?,
        caps: filter.list("caps", string)?,
        min_kernel: filter.optional("minKernel", |value, place| {
            let text = text(value, place)?;
            text.parse::<KernelVersion>()
                .map_err(|()| wrong(place, format!("`{text}` is no kernel version such as `5.11`")))
        })?,
    })
}

/// The number beside an action. The name of an errno wins over it (containers/common `getErrno`).
fn errno(object: &Object<'_>, number_field: &str, name_field: &str) -> Result<Option<u32>, ReadError> {
    if let Some(name) = object.optional(name_field, string)?.filter(|name| !name.is_empty()) {
        if let Ok(number) = name.parse::<u32>() {
            return Ok(Some(number));
        }
        // The names that matter here have the same number on every host but MIPS and PA-RISC.
        return match tables::errno(&name, Arch::X86_64) {
            Some(number) => Ok(Some(u32::from(number))),
            None => Err(object.wrong(name_field, format!("no errno is called `{name}`"))),
        };
    }
    let number = object.optional(number_field, number)?;
    match number.map(u32::try_from) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(object.wrong(number_field, "is larger than any errno")),
    }
}

fn action(value: &Value, place: &Place<'_>) -> Result<ActionName, ReadError> {
    let name = text(value, place)?;
    ActionName::from_name(name).ok_or_else(|| wrong(place, format!("no action is called `{name}`")))
}

fn arch(value: &Value, place: &Place<'_>) -> Result<Arch, ReadError> {
    let name = text(value, place)?;
    Arch::from_oci_name(name).ok_or_else(|| wrong(place, format!("no ABI is called `{name}`")))
}

fn string(value: &Value, place: &Place<'_>) -> Result<String, ReadError> {
    text(value, place).map(str::to_owned)
}

fn text<'a>(value: &'a Value, place: &Place<'_>) -> Result<&'a str, ReadError> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong(place, format!("should be a string, is {}", kind(other)))),
    }
}

fn number(value: &Value, place: &Place<'_>) -> Result<u64, ReadError> {
    match value.as_u64() {
        Some(number) => Ok(number),
        None if value.is_number() => Err(wrong(place, format!("{value} is not a whole number from 0 to 2^64 - 1"))),
        None => Err(wrong(place, format!("should be a number, is {}", kind(value)))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn wrong(place: &Place<'_>, message: impl Into<String>) -> ReadError {
    ReadError { place: place.to_string(), message: message.into() }
}

/// Where a value stands. Most places are never named: they become text only in a message.
#[derive(Clone, Copy)]
enum Place<'a> {
    Top,
    Field(&'a Place<'a>, &'a str),
    Element(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => Ok(()),
            Self::Field(Self::Top, field) => f.write_str(field),
            Self::Field(within, field) => write!(f, "{within}.{field}"),
            Self::Element(within, index) => write!(f, "{within}[{index}]"),
        }
    }
}

/// An object and where it stands.
struct Object<'a> {
    fields: &'a Map<String, Value>,
    place: Place<'a>,
}

impl<'a> Object<'a> {
    fn new(value: &'a Value, place: Place<'a>) -> Result<Self, ReadError> {
        match value {
            Value::Object(fields) => Ok(Self { fields, place }),
            other => Err(wrong(&place, format!("should be an object, is {}", kind(other)))),
        }
    }

    fn wrong(&self, field: &str, message: impl Into<String>) -> ReadError {
        wrong(&Place::Field(&self.place, field), message)
    }

    /// The field; `null` is as good as none. Go takes the name in any case where the exact one is missing.
    fn get<'p>(&'p self, field: &'p str) -> Option<(&'a Value, Place<'p>)> {
        let exact = self.fields.get(field);
        let value = exact.or_else(|| {
            self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(field)).map(|(_, value)| value)
        })?;
        (!value.is_null()).then_some((value, Place::Field(&self.place, field)))
    }

    fn required<'p>(&'p self, field: &'p str) -> Result<(&'a Value, Place<'p>), ReadError> {
        self.get(field).ok_or_else(|| self.wrong(field, "is missing"))
    }

    fn optional<T>(
        &self,
        field: &str,
        take: impl Fn(&'a Value, &Place<'_>) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        self.get(field).map(|(value, place)| take(value, &place)).transpose()
    }

    fn list<T>(
        &self,
        field: &str,
        take: impl Fn(&'a Value, &Place<'_>) -> Result<T, ReadError>,
    ) -> Result<Vec<T>, ReadError> {
        let Some((value, place)) = self.get(field) else { return Ok(Vec::new()) };
        match value {
            Value::Array(values) => {
                values.iter().enumerate().map(|(index, value)| take(value, &Place::Element(&place, index))).collect()
            }
            other => Err(wrong(&place, format!("should be a list, is {}", kind(other)))),
        }
    }
}
