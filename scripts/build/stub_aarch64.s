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
        tbz     x0, #63, 1f
        adr     x0, slash
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
digits: .ascii  "0123456789abcdef"
sorry:  .ascii  "paddock: no memory to unpack itself into (memfd_create failed)\n"
sorry_end:
        .balign 4
deno:   .ascii  "DENO"
        .balign 8
params:
entry_at:   .quad 0
environ_at: .quad 0
script_at:    .quad 0
script_size:  .quad 0
flags_at:   .quad 0
flag_count: .quad 0
