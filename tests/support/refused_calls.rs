//! System calls that are refused, as a profile does it or an older kernel.

/// Has the system answer a call with an error, in this thread and what it starts from here on.
pub fn refuse(call: libc::c_long, argument: Option<(u32, u32)>, errno: libc::c_int) {
    let step = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: u16::try_from(code).unwrap(),
        jt,
        jf,
        k,
    };
    let load = |offset| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    let answer = |what| step(libc::BPF_RET | libc::BPF_K, what, 0, 0);
    let number = u32::try_from(call).unwrap();
    let refused = libc::SECCOMP_RET_ERRNO | u32::try_from(errno).unwrap();
    let is = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let mut program = vec![load(0)];
    match argument {
        None => program.push(step(is, number, 0, 1)),
        Some((index, bits)) => program.extend([
            step(is, number, 0, 3),
            load(16 + 8 * index),
            step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, bits, 0, 1),
        ]),
    }
    program.extend([answer(refused), answer(libc::SECCOMP_RET_ALLOW)]);
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).unwrap(),
        filter: program.as_mut_ptr(),
    };
    // SAFETY: `filter` names the instructions above, which outlive both calls.
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            | libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter)
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}
