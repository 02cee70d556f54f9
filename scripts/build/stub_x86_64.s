# What runs between the dynamic loader and the runtime's own entry; see pack.ts for why and for the parameters.
# In: rsp -> argc, argv..., 0, envp..., 0; rdx = the loader's exit function. Offsets in params are from start.
        .intel_syntax noprefix
start:  mov     r15, rdx
        mov     r14, rsp
        lea     r13, [rip + start]
        sub     rsp, 8192
        mov     r12, rsp                        # r12: 8 kB to write in
        cmp     qword ptr [r14], 0              # no argv[0]: nothing sensible called us
        je      fail

        mov     rdi, r12                        # getcwd; the runtime refuses to start in a directory that is gone
        mov     esi, 4096
        mov     eax, 79
        syscall
        test    rax, rax
        js      gone
        call    cached                          # comes back if no launcher is kept for this run
        jmp     1f
gone:   lea     rdi, [rip + slash]
        mov     eax, 80                         # chdir
        syscall

1:      lea     rdi, [rip + name]               # memfd_create: MFD_CLOEXEC | MFD_NOEXEC_SEAL
        mov     esi, 9
        mov     eax, 319
        syscall
        test    eax, eax
        jns     2f
        mov     esi, 1                          # before Linux 6.3: MFD_CLOEXEC alone
        mov     eax, 319
        syscall
        test    eax, eax
        js      fail
2:      mov     ebx, eax                        # ebx: the memory file
        mov     rsi, [rip + script_at]
        add     rsi, r13
        mov     rbp, [rip + script_size]
3:      mov     edi, ebx                        # write, until all is written
        mov     rdx, rbp
        mov     eax, 1
        syscall
        test    rax, rax
        jle     fail
        add     rsi, rax
        sub     rbp, rax
        jnz     3b

        lea     rdi, [r12 + 64]                 # "/proc/self/fd/N", written from its end
        mov     byte ptr [rdi], 0
        mov     eax, ebx
        mov     ecx, 10
4:      xor     edx, edx
        div     ecx
        add     dl, '0'
        dec     rdi
        mov     [rdi], dl
        test    eax, eax
        jnz     4b
        sub     rdi, 14
        mov     rbp, rdi                        # rbp: the script's path
        lea     rsi, [rip + prefix]
        mov     ecx, 14
        rep movsb

        mov     edi, 7                          # getrlimit(RLIMIT_NOFILE): the runtime raises it, containers want it
        lea     rsi, [r12 + 128]
        mov     eax, 97
        syscall
        lea     rdi, [r12 + 144]                # "PADDOCK_NOFILE=", soft and hard as 16 hexadecimal digits each
        lea     rsi, [rip + nofile]
        mov     ecx, 15
        rep movsb
        mov     rdx, [r12 + 128]
        call    hex
        mov     al, ':'
        stosb
        mov     rdx, [r12 + 136]
        call    hex
        mov     byte ptr [rdi], 0

        mov     rdx, [r14]                      # rdx: argc
        lea     rsi, [r14 + rdx * 8 + 16]       # rsi: envp
        mov     rdi, rsi
        xor     eax, eax
        mov     rcx, -1
        repne scasq                             # rdi: past envp's end
        sub     rdi, r14                        # the old arrays and 64 words for ours
        add     rdi, 512
        sub     rsp, rdi
        and     rsp, -16
        mov     r8, rsi
        mov     rdi, rsp
        mov     rax, rdx
        add     rax, [rip + flag_count]
        stosq                                   # argc
        lea     rsi, [r14 + 8]
        movsq                                   # argv[0]
        mov     rsi, [rip + flags_at]
        add     rsi, r13
        call    list                            # the runtime's flags
        mov     rax, rbp
        stosq                                   # the script
        lea     rcx, [rdx - 1]
        mov     r9, rsi
        lea     rsi, [r14 + 16]
        rep movsq                               # the user's arguments
        xor     eax, eax
        stosq
        mov     rbx, rdi                        # rbx: the new envp
        mov     rsi, r9
        call    list                            # the runtime's environment
        lea     rax, [r12 + 144]
        stosq
        mov     rsi, r8
5:      lodsq                                   # the user's environment, but for what would steer the runtime
        test    rax, rax
        jz      7f
        cmp     dword ptr [rax], 0x4f4e4544     # "DENO"
        jne     6f
        cmp     byte ptr [rax + 4], '_'
        je      5b
6:      stosq
        jmp     5b
7:      stosq                                   # the end of envp, and an empty auxiliary vector
        stosq
        stosq
        mov     rax, [rip + environ_at]         # libc took envp from the old stack already
        mov     rax, [r13 + rax]
        mov     [rax], rbx
        mov     rdx, r15
        add     r13, [rip + entry_at]
        jmp     r13

# The launcher of a run that was worked out before, executed; comes back without one, and closes what it opened.
# lib/state/launcher_cache.ts says what such a file has. In: rax = the length of the directory at r12, with its end.
cached: mov     rbp, rsp                        # rbp: the way back
        mov     rbx, rax                        # rbx: the length of the directory
        mov     rcx, [r14]
        cmp     rcx, 3                          # `run` and the image at least
        jl      none
        mov     rax, [r14 + 16]
        cmp     dword ptr [rax], 0x006e7572     # "run" and its end
        jne     none
        cmp     byte ptr [r12], '/'             # "(unreachable)...": no path
        jne     none
        lea     rsi, [r14 + rcx * 8 + 16]       # rsi: envp
        mov     r8, [rsi - 16]                  # r8: the last argument
        xor     r9d, r9d                        # r9: HOME, of which `~` is made
        mov     rdi, [rip + anew]
1:      lodsq
        test    rax, rax
        jz      2f
        cmp     dword ptr [rax], 0x454d4f48     # "HOME"
        jne     3f
        cmp     byte ptr [rax + 4], '='
        jne     1b
        test    r9, r9                          # the first one counts
        cmovz   r9, rax
        jmp     1b
3:      cmp     [rax], rdi                      # "PADDOCK_"
        jne     1b
        cmp     dword ptr [rax + 8], 0x57454e41 # "ANEW"
        jne     1b
        cmp     byte ptr [rax + 12], '='
        jne     1b
        jmp     none                            # it is to be worked out anew
2:      mov     eax, 107                        # geteuid
        syscall
        test    eax, eax
        jnz     none

        sub     rsp, 32896                      # rsp: the key, 16 kB at most; from 16384 on what the file has
        mov     edi, -100                       # newfstatat(AT_FDCWD): which build of paddock this is
        lea     rsi, [rip + exe]
        mov     rdx, rsp
        xor     r10d, r10d
        mov     eax, 262
        syscall
        test    eax, eax
        jnz     none
        mov     [rsp + 72], r10                 # the time of the last access says nothing
        mov     [rsp + 80], r10
        mov     edi, 7                          # getrlimit(RLIMIT_NOFILE), over what is left of stat
        lea     rsi, [rsp + 120]
        mov     eax, 97
        syscall
        test    eax, eax
        jnz     none
        lea     rdi, [rsp + 136]
        mov     rsi, r12
        mov     rcx, rbx
        rep movsb                               # the directory
        mov     rsi, rdi                        # readlink: its own path
        lea     rdi, [rip + exe]
        mov     edx, 4096
        mov     eax, 89
        syscall
        test    rax, rax
        jle     none
        cmp     rax, rdx                        # it may be cut off
        jge     none
        lea     rdi, [rsi + rax]
        mov     byte ptr [rdi], 0
        inc     rdi
        mov     rsi, [r14 + 8]                  # the words: the kernel lays all strings out one after the other
3:      mov     al, [r8]
        inc     r8
        test    al, al
        jnz     3b
        mov     rcx, r8
        sub     rcx, rsi
        lea     rax, [rsp + 16384]
        sub     rax, rdi
        cmp     rcx, rax                        # too many, or not in this order
        ja      none
        rep movsb
        mov     rsi, r9
        test    rsi, rsi
        jz      5f
        lea     rdx, [rsp + 16384]
4:      cmp     rdi, rdx
        jae     none
        lodsb
        stosb
        test    al, al
        jnz     4b
5:      sub     rdi, rsp
        mov     r9, rdi                         # r9: the length of the key

        mov     edx, 0x811c9dc5                 # 32-bit FNV-1a
        mov     rsi, rsp
4:      lodsb
        xor     dl, al
        imul    edx, edx, 0x01000193
        dec     rdi
        jnz     4b
        mov     rdi, r12                        # the path; the directory is in the key by now
        lea     rsi, [rip + kept]
        mov     ecx, 24
        rep movsb
        shl     rdx, 32
        call    hex
        mov     byte ptr [rdi - 8], 0           # 8 digits of the 16
        mov     edi, -100                       # openat: O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
        mov     rsi, r12
        mov     edx, 0xa0800
        mov     eax, 257
        syscall
        test    eax, eax
        js      none
        mov     ebx, eax                        # ebx: the file

        mov     edi, ebx                        # fstat: root's own file, which nobody else can touch
        lea     rsi, [rsp + 16384]
        mov     eax, 5
        syscall
        test    eax, eax
        jnz     shut
        mov     eax, [rsi + 24]
        and     eax, 0xf03f                     # S_IFMT, and what group and others may
        cmp     eax, 0x8000                     # S_IFREG
        jne     shut
        cmp     dword ptr [rsi + 28], 0
        jne     shut
        mov     r8, [rsi + 48]
        lea     rdx, [r9 + 64]                  # read the head and the key
        xor     eax, eax
        syscall
        cmp     rax, rdx
        jne     shut
        sub     r8, rdx                         # r8: the launcher's size
        mov     rax, [rip + magic]
        cmp     [rsi], rax
        jne     shut
        cmp     [rsi + 8], r9
        jne     shut
        cmp     [rsi + 16], r8
        jne     shut
        lea     rax, [r8 - 1]
        cmp     rax, 0xfffff                    # nothing, or more than 1 MB
        ja      shut
        mov     byte ptr [rsi + 63], 0          # the title ends
        lea     rdi, [rsi + 64]
        mov     rsi, rsp
        mov     rcx, r9
        repe cmpsb                              # two keys may have one hash
        jne     shut

        lea     rdi, [rip + name]               # memfd_create: MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC
        mov     esi, 0x13
        mov     eax, 319
        syscall
        cmp     eax, -22                        # EINVAL before Linux 6.3: without MFD_EXEC
        jne     5f
        mov     esi, 3
        mov     eax, 319
        syscall
5:      test    eax, eax
        js      shut
        mov     edi, eax                        # edi: the memory file
        mov     esi, ebx
        xor     edx, edx
        mov     r10, r8
6:      mov     eax, 40                         # sendfile, until all is copied
        syscall
        test    rax, rax
        jle     drop
        sub     r10, rax
        jnz     6b
        mov     esi, 1033                       # F_ADD_SEALS, all: a container must not write to what it sees of us
        mov     edx, 15
        mov     eax, 72
        syscall
        test    eax, eax
        jnz     drop
        mov     r9d, edi
        lea     rax, [rsp + 16384 + 24]         # argv: the title
        mov     [r12], rax
        mov     [r12 + 8], r10                  # 0: all is copied
        mov     rcx, [r14]
        lea     rsi, [r14 + rcx * 8 + 16]
        mov     rdx, rsi
7:      add     rdx, 8
        cmp     qword ptr [rdx - 8], 0
        jne     7b
        sub     rdx, rsi                        # envp: for when paddock is called once more, its own with a mark
        sub     rsp, rdx
        sub     rsp, 16
        and     rsp, -16
        mov     rdi, rsp
        lea     rax, [rip + anew]
        stosq
        mov     rcx, rdx
        rep movsb
        mov     edi, r9d
        lea     rsi, [rip + slash + 1]          # execveat(AT_EMPTY_PATH)
        mov     rdx, r12
        mov     r10, rsp
        mov     r8d, 0x1000
        mov     eax, 322
        syscall
drop:   mov     eax, 3                          # close
        syscall
shut:   mov     edi, ebx
        mov     eax, 3
        syscall
none:   mov     rsp, rbp
        ret

hex:    mov     ecx, 16                         # rdx as 16 digits to rdi
8:      rol     rdx, 4
        mov     eax, edx
        and     eax, 15
        lea     r10, [rip + digits]
        mov     al, [r10 + rax]
        stosb
        dec     ecx
        jnz     8b
        ret

list:   cmp     byte ptr [rsi], 0               # addresses of strings at rsi, up to an empty one, to rdi
        je      2f
        mov     rax, rsi
        stosq
1:      lodsb
        test    al, al
        jnz     1b
        jmp     list
2:      inc     rsi
        ret

fail:   mov     edi, 2
        lea     rsi, [rip + sorry]
        mov     edx, sorry_end - sorry
        mov     eax, 1
        syscall
        mov     edi, 125
        mov     eax, 231                        # exit_group
        syscall

slash:  .asciz  "/"
name:   .asciz  "paddock"
prefix: .ascii  "/proc/self/fd/"
nofile: .ascii  "PADDOCK_NOFILE="
exe:    .asciz  "/proc/self/exe"
kept:   .ascii  "/run/paddock/.launchers/"
anew:   .asciz  "PADDOCK_ANEW=1"
magic:  .ascii  "paddockL"
digits: .ascii  "0123456789abcdef"
sorry:  .ascii  "paddock: no memory to unpack itself into (memfd_create failed)\n"
sorry_end:
        .balign 8
params:
entry_at:   .quad 0
environ_at: .quad 0
script_at:    .quad 0
script_size:  .quad 0
flags_at:   .quad 0
flag_count: .quad 0
