// What runs between the dynamic loader and the runtime's own entry; see pack.ts for why and for the parameters.
// In: sp -> argc, argv..., 0, envp..., 0; x0 = the loader's exit function. Offsets in params are from start.
start:  mov     x28, x0
        mov     x27, sp
        adr     x26, start
        sub     sp, sp, #8192
        mov     x25, sp                         // x25: 8 kB to write in
        ldr     x24, [x27]                      // x24: argc
        cbz     x24, fail                       // no argv[0]: nothing sensible called us

        mov     x0, x25                         // getcwd; the runtime refuses to start in a directory that is gone
        mov     x1, #4096
        mov     x8, #17
        svc     #0
        tbnz    x0, #63, gone
        bl      cached                          // comes back if no launcher is kept for this run
        b       1f
gone:   adr     x0, slash
        mov     x8, #49                         // chdir
        svc     #0

1:      adr     x0, name                        // memfd_create: MFD_CLOEXEC | MFD_NOEXEC_SEAL
        mov     x1, #9
        mov     x8, #279
        svc     #0
        tbz     x0, #63, 2f
        adr     x0, name
        mov     x1, #1                          // before Linux 6.3: MFD_CLOEXEC alone
        svc     #0
        tbnz    x0, #63, fail
2:      mov     x23, x0                         // x23: the memory file
        ldr     x1, script_at
        add     x1, x1, x26
        ldr     x22, script_size
3:      mov     x0, x23                         // write, until all is written
        mov     x2, x22
        mov     x8, #64
        svc     #0
        cmp     x0, #0
        b.le    fail
        add     x1, x1, x0
        subs    x22, x22, x0
        b.ne    3b

        add     x21, x25, #64                   // "/proc/self/fd/N", written from its end
        strb    wzr, [x21]
        mov     x0, x23
        mov     x1, #10
4:      udiv    x2, x0, x1
        msub    x3, x2, x1, x0
        add     x3, x3, #'0'
        strb    w3, [x21, #-1]!
        mov     x0, x2
        cbnz    x0, 4b
        sub     x21, x21, #14                   // x21: the script's path
        mov     x0, x21
        adr     x1, prefix
        mov     x2, #14
        bl      copy

        mov     x0, #7                          // getrlimit(RLIMIT_NOFILE): the runtime raises it, containers want it
        add     x1, x25, #128
        mov     x8, #163
        svc     #0
        add     x0, x25, #144                   // "PADDOCK_NOFILE=", soft and hard as 16 hexadecimal digits each
        adr     x1, nofile
        mov     x2, #15
        bl      copy
        ldr     x3, [x25, #128]
        bl      hex
        mov     w4, #':'
        strb    w4, [x0], #1
        ldr     x3, [x25, #136]
        bl      hex
        strb    wzr, [x0]

        add     x20, x27, x24, lsl #3
        add     x20, x20, #16                   // x20: envp
        mov     x0, x20
5:      ldr     x1, [x0], #8
        cbnz    x1, 5b
        sub     x0, x0, x27                     // the old arrays and 64 words for ours
        add     x0, x0, #512
        mov     x1, sp
        sub     x1, x1, x0
        and     x1, x1, #-16
        mov     sp, x1
        mov     x0, sp
        ldr     x1, flag_count
        add     x1, x1, x24
        str     x1, [x0], #8                    // argc
        ldr     x1, [x27, #8]
        str     x1, [x0], #8                    // argv[0]
        ldr     x1, flags_at
        add     x1, x1, x26
        bl      list                            // the runtime's flags
        str     x21, [x0], #8                   // the script
        add     x2, x27, #16
6:      ldr     x3, [x2], #8                    // the user's arguments, with their end
        str     x3, [x0], #8
        cbnz    x3, 6b
        mov     x19, x0                         // x19: the new envp
        bl      list                            // the runtime's environment
        add     x2, x25, #144
        str     x2, [x0], #8
        ldr     w5, deno
7:      ldr     x3, [x20], #8                   // the user's environment, but for what would steer the runtime
        cbz     x3, 9f
        ldr     w4, [x3]
        cmp     w4, w5
        b.ne    8f
        ldrb    w4, [x3, #4]
        cmp     w4, #'_'
        b.eq    7b
8:      str     x3, [x0], #8
        b       7b
9:      stp     xzr, xzr, [x0], #16             // the end of envp, and an empty auxiliary vector
        str     xzr, [x0]
        ldr     x1, environ_at                  // libc took envp from the old stack already
        ldr     x1, [x26, x1]
        str     x19, [x1]
        ldr     x1, entry_at
        add     x1, x1, x26
        mov     x0, x28
        br      x1

// The launcher of a run that was worked out before, executed; comes back without one, and closes what it opened.
// lib/state/launcher_cache.ts says what such a file has. In: x0 = the length of the directory at x25, with its end.
cached: mov     x22, x30                        // x22: the way back; x21: its stack
        mov     x21, sp
        mov     x20, x0                         // x20: the length of the directory
        cmp     x24, #3                         // `run` and the image at least
        b.lt    none
        ldr     x1, [x27, #16]
        ldr     w1, [x1]
        ldr     w2, run                         // "run" and its end
        cmp     w1, w2
        b.ne    none
        ldrb    w1, [x25]
        cmp     w1, #'/'                        // "(unreachable)...": no path
        b.ne    none
        add     x1, x27, x24, lsl #3
        ldr     x19, [x1], #16                  // x19: the last argument; x1: envp
        mov     x9, #0                          // x9: HOME, of which `~` is made
        ldr     w10, home
        ldr     x2, anew
1:      ldr     x3, [x1], #8
        cbz     x3, 2f
        ldr     w4, [x3]
        cmp     w4, w10                         // "HOME"
        b.ne    3f
        ldrb    w4, [x3, #4]
        cmp     w4, #'='
        b.ne    1b
        cbnz    x9, 1b                          // the first one counts
        mov     x9, x3
        b       1b
3:      ldr     x4, [x3]
        cmp     x4, x2                          // "PADDOCK_"
        b.ne    1b
        ldr     w4, [x3, #8]
        ldr     w5, anew + 8
        cmp     w4, w5                          // "ANEW"
        b.ne    1b
        ldrb    w4, [x3, #12]
        cmp     w4, #'='
        b.ne    1b
        b       none                            // it is to be worked out anew
2:      mov     x8, #175                        // geteuid
        svc     #0
        cbnz    w0, none

        sub     sp, sp, #32768                  // sp: the key, 16 kB at most; x23: what the file has, 64 bytes more
        sub     sp, sp, #128
        add     x23, sp, #16384
        mov     x0, #-100                       // newfstatat(AT_FDCWD): which build of paddock this is
        adr     x1, exe
        mov     x2, sp
        mov     x3, #0
        mov     x8, #79
        svc     #0
        cbnz    x0, none
        str     xzr, [sp, #72]                  // the time of the last access says nothing
        str     xzr, [sp, #80]
        mov     x0, #7                          // getrlimit(RLIMIT_NOFILE), over what is left of stat
        add     x1, sp, #120
        mov     x8, #163
        svc     #0
        cbnz    x0, none
        add     x0, sp, #136
        mov     x1, x25
        mov     x2, x20
        bl      copy                            // the directory
        mov     x20, x0                         // x20: the end of the key so far
        mov     x0, #-100                       // readlinkat: its own path
        adr     x1, exe
        mov     x2, x20
        mov     x3, #4096
        mov     x8, #78
        svc     #0
        cmp     x0, #0
        b.le    none
        cmp     x0, x3                          // it may be cut off
        b.ge    none
        add     x0, x20, x0
        strb    wzr, [x0], #1
        ldr     x1, [x27, #8]                   // the words: the kernel lays all strings out one after the other
3:      ldrb    w4, [x19], #1
        cbnz    w4, 3b
        sub     x2, x19, x1
        sub     x3, x23, x0
        cmp     x2, x3                          // too many, or not in this order
        b.hi    none
        bl      copy
        cbz     x9, 5f
4:      cmp     x0, x23
        b.hs    none
        ldrb    w4, [x9], #1
        strb    w4, [x0], #1
        cbnz    w4, 4b
5:      mov     x1, sp
        sub     x20, x0, x1                     // x20: the length of the key

        mov     w3, #0x9dc5                     // 32-bit FNV-1a
        movk    w3, #0x811c, lsl #16
        mov     w5, #0x0193
        movk    w5, #0x0100, lsl #16
4:      ldrb    w4, [x1], #1
        eor     w3, w3, w4
        mul     w3, w3, w5
        cmp     x1, x0
        b.ne    4b
        mov     x0, x25                         // the path; the directory is in the key by now
        adr     x1, kept
        mov     x2, #24
        bl      copy
        lsl     x3, x3, #32
        bl      hex
        strb    wzr, [x0, #-8]                  // 8 digits of the 16
        mov     x0, #-100                       // openat: O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
        mov     x1, x25
        mov     x2, #0x8800
        movk    x2, #0x8, lsl #16
        mov     x8, #56
        svc     #0
        tbnz    x0, #63, none
        mov     x19, x0                         // x19: the file

        mov     x1, x23                         // fstat: root's own file, which nobody else can touch
        mov     x8, #80
        svc     #0
        cbnz    x0, shut
        ldr     w2, [x23, #16]
        mov     w3, #0xf03f                     // S_IFMT, and what group and others may
        and     w2, w2, w3
        mov     w3, #0x8000                     // S_IFREG
        cmp     w2, w3
        b.ne    shut
        ldr     w2, [x23, #24]
        cbnz    w2, shut
        ldr     x5, [x23, #48]
        mov     x0, x19                         // read the head and the key
        add     x2, x20, #64
        mov     x8, #63
        svc     #0
        cmp     x0, x2
        b.ne    shut
        sub     x5, x5, x2                      // x5: the launcher's size
        ldr     x2, [x23]
        ldr     x3, magic
        cmp     x2, x3
        b.ne    shut
        ldr     x2, [x23, #8]
        cmp     x2, x20
        b.ne    shut
        ldr     x2, [x23, #16]
        cmp     x2, x5
        b.ne    shut
        sub     x2, x5, #1
        lsr     x2, x2, #20
        cbnz    x2, shut                        // nothing, or more than 1 MB
        strb    wzr, [x23, #63]                 // the title ends
        add     x1, x23, #64
        mov     x0, sp
5:      ldrb    w2, [x0], #1                    // two keys may have one hash
        ldrb    w3, [x1], #1
        cmp     w2, w3
        b.ne    shut
        subs    x20, x20, #1
        b.ne    5b

        adr     x0, name                        // memfd_create: MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC
        mov     x1, #0x13
        mov     x8, #279
        svc     #0
        cmn     x0, #22                         // EINVAL before Linux 6.3: without MFD_EXEC
        b.ne    6f
        adr     x0, name
        mov     x1, #3
        svc     #0
6:      tbnz    x0, #63, shut
        mov     x20, x0                         // x20: the memory file
7:      mov     x0, x20                         // sendfile, until all is copied
        mov     x1, x19
        mov     x2, #0
        mov     x3, x5
        mov     x8, #71
        svc     #0
        cmp     x0, #0
        b.le    drop
        subs    x5, x5, x0
        b.ne    7b
        mov     x0, x20                         // F_ADD_SEALS, all: a container must not write to what it sees of us
        mov     x1, #1033
        mov     x2, #15
        mov     x8, #25
        svc     #0
        cbnz    x0, drop
        add     x2, x23, #24                    // argv: the title
        stp     x2, xzr, [x25]
        add     x1, x27, x24, lsl #3
        add     x1, x1, #16
        mov     x2, x1
8:      ldr     x3, [x2], #8
        cbnz    x3, 8b
        sub     x2, x2, x1                      // envp: for when paddock is called once more, its own with a mark
        mov     x3, sp
        sub     x3, x3, x2
        sub     x3, x3, #16
        and     x3, x3, #-16
        mov     sp, x3
        mov     x0, x3
        adr     x4, anew
        str     x4, [x0], #8
        bl      copy
        mov     x0, x20                         // execveat(AT_EMPTY_PATH)
        adr     x1, slash + 1
        mov     x2, x25
        mov     x4, #0x1000
        mov     x8, #281
        svc     #0
drop:   mov     x0, x20                         // close
        mov     x8, #57
        svc     #0
shut:   mov     x0, x19
        mov     x8, #57
        svc     #0
none:   mov     sp, x21
        ret     x22

copy:   ldrb    w4, [x1], #1                    // x2 bytes from x1 to x0
        strb    w4, [x0], #1
        subs    x2, x2, #1
        b.ne    copy
        ret

hex:    mov     x2, #16                         // x3 as 16 digits to x0
        adr     x6, digits
1:      ror     x3, x3, #60
        and     x4, x3, #15
        ldrb    w4, [x6, x4]
        strb    w4, [x0], #1
        subs    x2, x2, #1
        b.ne    1b
        ret

list:   ldrb    w4, [x1]                        // addresses of strings at x1, up to an empty one, to x0
        cbz     w4, 2f
        str     x1, [x0], #8
1:      ldrb    w4, [x1], #1
        cbnz    w4, 1b
        b       list
2:      add     x1, x1, #1
        ret

fail:   mov     x0, #2
        adr     x1, sorry
        mov     x2, sorry_end - sorry
        mov     x8, #64
        svc     #0
        mov     x0, #125
        mov     x8, #94                         // exit_group
        svc     #0

slash:  .asciz  "/"
name:   .asciz  "paddock"
prefix: .ascii  "/proc/self/fd/"
nofile: .ascii  "PADDOCK_NOFILE="
exe:    .asciz  "/proc/self/exe"
kept:   .ascii  "/run/paddock/.launchers/"
digits: .ascii  "0123456789abcdef"
sorry:  .ascii  "paddock: no memory to unpack itself into (memfd_create failed)\n"
sorry_end:
        .balign 4
deno:   .ascii  "DENO"
run:    .asciz  "run"
home:   .ascii  "HOME"
magic:  .ascii  "paddockL"
anew:   .asciz  "PADDOCK_ANEW=1"
        .balign 8
params:
entry_at:   .quad 0
environ_at: .quad 0
script_at:    .quad 0
script_size:  .quad 0
flags_at:   .quad 0
flag_count: .quad 0
