/*
 * Reads lines "OBJECT TARGET" from standard input. For each it relocates the
 * object's one program with libbpf against the types in TARGET, and prints the
 * instructions in hexadecimal, or "refused". Nothing is loaded. With an
 * argument, libbpf's messages go to standard error.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <bpf/libbpf.h>

static int prepared;
static int verbose;

static int print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return verbose ? vfprintf(stderr, format, arguments) : 0;
}

/* Called when all relocations are done, right before BPF_PROG_LOAD. */
static int prepare(struct bpf_program *program, struct bpf_prog_load_opts *opts, long cookie)
{
	const unsigned char *code = (const unsigned char *)bpf_program__insns(program);
	for (size_t i = 0; i < bpf_program__insn_cnt(program) * 8; i++)
		printf("%02x", code[i]);
	printf("\n");
	prepared = 1;
	return -ECANCELED;
}

int main(int argc, char **argv)
{
	char line[4096];
	LIBBPF_OPTS(libbpf_prog_handler_opts, handler, .prog_prepare_load_fn = prepare);
	verbose = argc > 1;
	libbpf_set_print(print);
	if (libbpf_register_prog_handler("socket", BPF_PROG_TYPE_SOCKET_FILTER, 0, &handler) < 0)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		char *object_path = strtok(line, " \n"), *target = strtok(NULL, " \n");
		LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = target);
		struct bpf_object *object = bpf_object__open_file(object_path, &opts);
		prepared = 0;
		if (object && bpf_object__load(object) == 0)
			return 2;
		if (!prepared)
			printf("refused\n");
		if (object)
			bpf_object__close(object);
	}
	return 0;
}
