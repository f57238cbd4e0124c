//! What crun and runc load: their steps, with the real libseccomp, up to the filter.
//!
//! ```text
//! { "names": ["read"], "action": "SCMP_ACT_ALLOW" }  →  seccomp_rule_add(ctx, ALLOW, 0)  →  seccomp_export_bpf
//! ```
//!
//! The library is opened when a test runs: nothing is linked, so machines without it build all the same. The steps
//! are `libcrun_generate_seccomp` in `src/libcrun/seccomp.c` of crun, and `InitSeccomp` and `matchCall` in
//! `libcontainer/seccomp/seccomp_linux.go` of runc, which agree but for this:
//!
//! - runc puts a stub of its own before the filter, that answers ENOSYS to calls newer than all that the profile
//!   names (`libcontainer/seccomp/patchbpf/enosys_linux.go`), when the default refuses. It is left out here; `installed` sees it.
//! - runc asks for the binary tree above 32 entries ([`Options::optimize`]), crun never.
//! - crun refuses an `errnoRet` for actions but ERRNO and TRACE; runc ignores it. The strict one is followed.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::sync::{Mutex, OnceLock};

use kpol_compiler::spec::{Action, Arch};
use serde_json::Value;

use crate::cbpf::Filter;
use crate::profile::{Node, to_oci};
use crate::skip::Skip;

type Context = *mut c_void;

/// `struct scmp_arg_cmp`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct ArgCompare {
    arg: c_uint,
    op: c_int,
    a: u64,
    b: u64,
}

/// `struct scmp_version`.
#[repr(C)]
struct Version {
    major: c_uint,
    minor: c_uint,
    micro: c_uint,
}

/// The functions that are used, as `seccomp.h` declares them.
struct Library {
    version: unsafe extern "C" fn() -> *const Version,
    init: unsafe extern "C" fn(u32) -> Context,
    release: unsafe extern "C" fn(Context),
    arch_native: unsafe extern "C" fn() -> u32,
    arch_resolve_name: unsafe extern "C" fn(*const c_char) -> u32,
    arch_add: unsafe extern "C" fn(Context, u32) -> c_int,
    arch_remove: unsafe extern "C" fn(Context, u32) -> c_int,
    syscall_resolve_name: unsafe extern "C" fn(*const c_char) -> c_int,
    syscall_resolve_name_arch: unsafe extern "C" fn(u32, *const c_char) -> c_int,
    rule_add_array: unsafe extern "C" fn(Context, u32, c_int, c_uint, *const ArgCompare) -> c_int,
    attr_set: unsafe extern "C" fn(Context, c_int, u32) -> c_int,
    export_bpf: unsafe extern "C" fn(Context, c_int) -> c_int,
}

const EEXIST: c_int = 17;
const NR_SCMP_ERROR: c_int = -1;
/// `SCMP_FLTATR_CTL_OPTIMIZE` of `enum scmp_filter_attr`.
const ATTR_OPTIMIZE: c_int = 8;

impl Library {
    fn open() -> Result<Self, Skip> {
        // SAFETY: the name is a C string; the handle is never closed, so what is found in it stays.
        let handle = unsafe { libc::dlopen(c"libseccomp.so.2".as_ptr(), libc::RTLD_NOW) };
        if handle.is_null() {
            return Err(Skip("no libseccomp.so.2 installed (tests/setup.sh does that)".into()));
        }
        let find = |name: &CStr| {
            // SAFETY: a live handle and a C string.
            let found = unsafe { libc::dlsym(handle, name.as_ptr()) };
            if found.is_null() { Err(Skip(format!("this libseccomp has no {name:?}"))) } else { Ok(found) }
        };
        /// # Safety
        /// The symbol must be a function of type `F`, a function pointer.
        unsafe fn typed<F: Copy>(symbol: *mut c_void) -> F {
            const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
            // SAFETY: a function pointer is as wide as the symbol (checked), and the caller knows the type.
            unsafe { std::mem::transmute_copy(&symbol) }
        }
        // SAFETY: each type is that of the function's declaration in seccomp.h, unchanged since 2.4.
        unsafe {
            Ok(Self {
                version: typed(find(c"seccomp_version")?),
                init: typed(find(c"seccomp_init")?),
                release: typed(find(c"seccomp_release")?),
                arch_native: typed(find(c"seccomp_arch_native")?),
                arch_resolve_name: typed(find(c"seccomp_arch_resolve_name")?),
                arch_add: typed(find(c"seccomp_arch_add")?),
                arch_remove: typed(find(c"seccomp_arch_remove")?),
                syscall_resolve_name: typed(find(c"seccomp_syscall_resolve_name")?),
                syscall_resolve_name_arch: typed(find(c"seccomp_syscall_resolve_name_arch")?),
                rule_add_array: typed(find(c"seccomp_rule_add_array")?),
                attr_set: typed(find(c"seccomp_attr_set")?),
                export_bpf: typed(find(c"seccomp_export_bpf")?),
            })
        }
    }
}

/// The library, one user at a time: it keeps the native ABI and the API level in variables that it does not guard.
fn library() -> Result<&'static Mutex<Library>, Skip> {
    static LIBRARY: OnceLock<Result<Mutex<Library>, Skip>> = OnceLock::new();
    LIBRARY.get_or_init(|| Library::open().map(Mutex::new)).as_ref().map_err(Skip::clone)
}

/// The release that is installed.
pub fn version() -> Result<(u32, u32, u32), Skip> {
    let library = library()?.lock().expect("no test panics while it holds the library");
    // SAFETY: returns a pointer to a static structure.
    let version = unsafe { &*(library.version)() };
    Ok((version.major, version.minor, version.micro))
}

/// Whether the installed release knows a call's name.
pub fn knows(name: &str) -> Result<bool, Skip> {
    let library = library()?.lock().expect("no test panics while it holds the library");
    let name = CString::new(name).map_err(|error| Skip(error.to_string()))?;
    // SAFETY: a C string that lives long enough.
    Ok(unsafe { (library.syscall_resolve_name)(name.as_ptr()) } != NR_SCMP_ERROR)
}

/// Whether the installed release has a number for the call on an ABI; where it knows the name and has none, a rule on
/// it does nothing there.
pub fn has(name: &str, arch: Arch) -> Result<bool, Skip> {
    let library = library()?.lock().expect("no test panics while it holds the library");
    let c_string = |text: &str| CString::new(text).map_err(|error| Skip(error.to_string()));
    let (name, arch) = (c_string(name)?, c_string(arch.name())?);
    // SAFETY: C strings that live long enough; a token from the library, or 0, which stands for the native ABI.
    let nr = unsafe { (library.syscall_resolve_name_arch)((library.arch_resolve_name)(arch.as_ptr()), name.as_ptr()) };
    // Below 0 are the library's own numbers for calls that other ABIs have (`__PNR_…`).
    Ok(nr >= 0)
}

/// How the library is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Dispatch by a binary tree, as runc asks for long profiles.
    pub optimize: bool,
}

/// A filter under construction, released when it is dropped.
struct Building<'a> {
    library: &'a Library,
    context: Context,
}

impl Drop for Building<'_> {
    fn drop(&mut self) {
        // SAFETY: the context came from seccomp_init and is released here alone.
        unsafe { (self.library.release)(self.context) }
    }
}

/// What a runtime on a node of that ABI would load for a profile; `Ok(Err(_))` is the runtime's refusal.
pub fn json_to_bpf(profile: &str, native: Arch) -> Result<Result<Filter, String>, Skip> {
    profile_to_bpf(profile, &Node::new(native), Options::default())
}

/// The same with the container's capabilities, the node's kernel and the library's options.
pub fn profile_to_bpf(profile: &str, node: &Node, options: Options) -> Result<Result<Filter, String>, Skip> {
    let library = library()?.lock().expect("no test panics while it holds the library");
    Ok(to_oci(profile, node).and_then(|oci| oci_to_bpf(&library, &oci, node.native, options)))
}

/// The filter, and how long the library took from `seccomp_init` to its export; reading the profile is not counted.
pub fn timed(
    profile: &str,
    node: &Node,
    options: Options,
) -> Result<Result<(Filter, std::time::Duration), String>, Skip> {
    let library = library()?.lock().expect("no test panics while it holds the library");
    Ok(to_oci(profile, node).and_then(|oci| {
        let start = std::time::Instant::now();
        let filter = oci_to_bpf(&library, &oci, node.native, options)?;
        Ok((filter, start.elapsed()))
    }))
}

fn oci_to_bpf(library: &Library, oci: &Value, native: Arch, options: Options) -> Result<Filter, String> {
    let default = action(&oci["defaultAction"], oci.get("defaultErrnoRet"))?;
    // SAFETY: any action is taken, a wrong one gives a null pointer.
    let context = unsafe { (library.init)(default) };
    if context.is_null() {
        return Err(format!("seccomp_init({default:#x}) failed"));
    }
    let building = Building { library, context };
    building.set_native(native)?;
    for arch in oci["architectures"].as_array().map_or(&[][..], Vec::as_slice) {
        let arch = text(arch, "an architecture")?;
        building.add_arch(&arch.trim_start_matches("SCMP_ARCH_").to_lowercase())?;
    }
    if options.optimize {
        // SAFETY: a live context; values are checked by the library.
        checked("optimize", unsafe { (library.attr_set)(context, ATTR_OPTIMIZE, 2) })?;
    }
    for entry in oci["syscalls"].as_array().map_or(&[][..], Vec::as_slice) {
        let action = action(&entry["action"], entry.get("errnoRet"))?;
        if action == default {
            continue;
        }
        let args = entry["args"].as_array().map_or(Ok(Vec::new()), |args| args.iter().map(compare).collect())?;
        for name in entry["names"].as_array().map_or(&[][..], Vec::as_slice) {
            building.add_rules(action, text(name, "a name")?, &args)?;
        }
    }
    building.export()
}

impl Building<'_> {
    /// On a machine of the same ABI this does nothing; else the library is told to build for that one.
    fn set_native(&self, native: Arch) -> Result<(), String> {
        let (library, context) = (self.library, self.context);
        // SAFETY: takes nothing, gives a token.
        let host = unsafe { (library.arch_native)() };
        let wanted = self.token(native.name())?;
        if host != wanted {
            // Removed first: a filter holds ABIs of one byte order only.
            // SAFETY: a live context and a token from the library.
            checked("seccomp_arch_remove", unsafe { (library.arch_remove)(context, host) })?;
            self.add_arch(native.name())?;
        }
        Ok(())
    }

    fn token(&self, name: &str) -> Result<u32, String> {
        let c_name = CString::new(name).map_err(|error| error.to_string())?;
        // SAFETY: a C string that lives long enough.
        match unsafe { (self.library.arch_resolve_name)(c_name.as_ptr()) } {
            0 => Err(format!("unknown architecture `{name}`")),
            token => Ok(token),
        }
    }

    fn add_arch(&self, name: &str) -> Result<(), String> {
        let token = self.token(name)?;
        // SAFETY: a live context and a token from the library.
        match unsafe { (self.library.arch_add)(self.context, token) } {
            ret if ret == -EEXIST => Ok(()),
            ret => checked("seccomp_arch_add", ret),
        }
    }

    /// A name that the library does not know is passed over; where an index is repeated, each compare becomes a rule
    /// of its own, which makes the condition an OR.
    fn add_rules(&self, action: u32, name: &str, args: &[ArgCompare]) -> Result<(), String> {
        let c_name = CString::new(name).map_err(|error| error.to_string())?;
        // SAFETY: a C string that lives long enough.
        let nr = unsafe { (self.library.syscall_resolve_name)(c_name.as_ptr()) };
        if nr == NR_SCMP_ERROR {
            return Ok(());
        }
        let repeated = args.iter().enumerate().any(|(at, arg)| args[..at].iter().any(|before| before.arg == arg.arg));
        let rules: Vec<&[ArgCompare]> = if repeated { args.chunks(1).collect() } else { vec![args] };
        for rule in rules {
            // SAFETY: a live context, and as many compares as are said.
            let ret =
                unsafe { (self.library.rule_add_array)(self.context, action, nr, rule.len() as c_uint, rule.as_ptr()) };
            checked(&format!("seccomp_rule_add({name})"), ret)?;
        }
        Ok(())
    }

    fn export(&self) -> Result<Filter, String> {
        // SAFETY: a C string and a flag; the result is checked.
        let fd = unsafe { libc::memfd_create(c"filter".as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(format!("memfd_create: {}", std::io::Error::last_os_error()));
        }
        // SAFETY: the descriptor is new and nobody else's.
        let mut file = unsafe { std::fs::File::from_raw_fd(fd) };
        // SAFETY: a live context and a live descriptor.
        checked("seccomp_export_bpf", unsafe { (self.library.export_bpf)(self.context, file.as_raw_fd()) })?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes)).map_err(|error| error.to_string())?;
        Filter::from_bytes(&bytes)
    }
}

fn checked(what: &str, ret: c_int) -> Result<(), String> {
    if ret == 0 { Ok(()) } else { Err(format!("{what}: {}", std::io::Error::from_raw_os_error(-ret))) }
}

fn text<'a>(value: &'a Value, what: &str) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("{what} is no text: {value}"))
}

fn action(name: &Value, errno: Option<&Value>) -> Result<u32, String> {
    const EPERM: u16 = 1;
    let name = text(name, "an action")?;
    let takes_errno = matches!(name, "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE");
    let errno = match errno {
        None => EPERM,
        Some(_) if !takes_errno => return Err(format!("errno value specified for action `{name}`")),
        Some(value) => value.as_u64().and_then(|n| u16::try_from(n).ok()).ok_or_else(|| format!("errno {value}"))?,
    };
    let action = match name {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
        "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
        "SCMP_ACT_TRAP" => Action::Trap(0),
        "SCMP_ACT_ERRNO" => Action::Errno(errno),
        "SCMP_ACT_TRACE" => Action::Trace(errno),
        "SCMP_ACT_LOG" => Action::Log,
        "SCMP_ACT_ALLOW" => Action::Allow,
        "SCMP_ACT_NOTIFY" => Action::Notify,
        _ => return Err(format!("unknown action `{name}`")),
    };
    Ok(action.to_ret())
}

fn compare(arg: &Value) -> Result<ArgCompare, String> {
    // `enum scmp_compare`.
    const OPERATORS: [&str; 7] = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];
    let number = |key: &str| match arg.get(key) {
        None => Ok(0),
        Some(value) => value.as_u64().ok_or_else(|| format!("{key} {value}")),
    };
    let op = text(&arg["op"], "an operator")?;
    let place = OPERATORS.iter().position(|known| op.strip_prefix("SCMP_CMP_") == Some(known));
    let index = number("index")?;
    if index > 5 {
        return Err(format!("invalid seccomp index `{index}`"));
    }
    Ok(ArgCompare {
        arg: index as c_uint,
        op: place.ok_or_else(|| format!("unknown operator `{op}`"))? as c_int + 1,
        a: number("value")?,
        b: number("valueTwo")?,
    })
}
