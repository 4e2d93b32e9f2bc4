/*
 * CO-RE: structs that look otherwise than the kernel's own, of which the names
 * are right. What the kernel really has is written to `seen`.
 */
#include "bpf.h"

struct list_head {
	struct list_head *next;
} __core;

/* Fields in another order, most left out, and one that no kernel has. */
struct task_struct {
	int tgid;
	int pid;
	int never_was_there;
	char comm[16];
	struct task_struct *group_leader;
	struct list_head tasks;
	unsigned int in_execve : 1;
} __core;

struct task_struct___flavour {
	int pid;
} __core;

struct no_such_struct {
	int x;
} __core;

enum bpf_map_type {
	BPF_MAP_TYPE_UNSPEC = 99,
	BPF_MAP_TYPE_RINGBUF = 1,
	BPF_MAP_TYPE_NEVER = 2,
};

struct seen {
	__u64 pid_tgid;
	__u64 offset_tgid;
	__u64 offset_comm_3;
	__u64 size_comm;
	__u64 exists;
	__u64 size_task;
	__u64 type_id;
	__u64 enum_value;
	__u64 enum_exists;
	__u64 signed_pid;
	__u64 bit_offset;
	__u64 bit_lshift;
	__u64 bit_rshift;
	__u64 matches;
	__u64 flavour;
};

struct seen seen;

#define field(type, member, kind) __builtin_preserve_field_info(((type *)0)->member, kind)

SEC("raw_tp/sys_enter")
int core(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	int pid, tgid;

	bpf_probe_read_kernel(&pid, sizeof(pid), __builtin_preserve_access_index(&task->pid));
	bpf_probe_read_kernel(&tgid, sizeof(tgid), &task->tgid);
	seen.pid_tgid = (__u64)(__u32)tgid << 32 | (__u32)pid;
	seen.offset_tgid = field(struct task_struct, tgid, 0);
	seen.offset_comm_3 = field(struct task_struct, comm[3], 0);
	seen.size_comm = field(struct task_struct, comm, 1);
	seen.exists = field(struct task_struct, pid, 2)
		| field(struct task_struct, never_was_there, 2) << 1
		| __builtin_preserve_type_info(*(struct task_struct *)0, 0) << 2
		| __builtin_preserve_type_info(*(struct no_such_struct *)0, 0) << 3;
	seen.size_task = __builtin_preserve_type_info(*(struct task_struct *)0, 1);
	seen.type_id = __builtin_btf_type_id(*(struct task_struct *)0, 1);
	seen.enum_value = __builtin_preserve_enum_value(*(typeof(enum bpf_map_type) *)BPF_MAP_TYPE_RINGBUF, 1);
	seen.enum_exists = __builtin_preserve_enum_value(*(typeof(enum bpf_map_type) *)BPF_MAP_TYPE_RINGBUF, 0)
		| __builtin_preserve_enum_value(*(typeof(enum bpf_map_type) *)BPF_MAP_TYPE_NEVER, 0) << 1;
	seen.signed_pid = field(struct task_struct, pid, 3);
	seen.bit_offset = field(struct task_struct, in_execve, 0);
	seen.bit_lshift = field(struct task_struct, in_execve, 4);
	seen.bit_rshift = field(struct task_struct, in_execve, 5);
	seen.matches = __builtin_preserve_type_info(*(struct list_head *)0, 2)
		| __builtin_preserve_type_info(*(struct task_struct *)0, 2) << 1;
	seen.flavour = field(struct task_struct___flavour, pid, 0);
	/* What is not there may stand in code that is not reached. */
	if (field(struct task_struct, never_was_there, 2))
		bpf_probe_read_kernel(&pid, sizeof(pid), &task->never_was_there);
	return 0;
}

char _license[] SEC("license") = "GPL";
