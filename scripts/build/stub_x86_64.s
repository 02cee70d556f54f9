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
        jns     1f
        lea     rdi, [rip + slash]
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
