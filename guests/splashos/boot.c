// SPDX-License-Identifier: MIT
/*
 * From the boot loader to main(), in a few thousand instructions: the device tree says how much
 * memory, which harts and which arguments there are. The other harts stay stopped until a thread
 * needs them. Arguments are words of the kernel command line, as a shell would take them:
 *
 *     NAME=VALUE ...  PROGRAM  ARGUMENT ...
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"
#include "sbi.h"

extern char image_end[];
extern char **environ;
int main(int argc, char **argv, char **env);

struct board board;

/* Cut text into words, in place. Returns how many; words: room for one more than max. */
static int split(char *text, char **words, int max)
{
	int n = 0;

	while (n < max) {
		while (isspace((unsigned char)*text))
			*text++ = '\0';
		if (!*text)
			break;
		words[n++] = text;
		while (*text && !isspace((unsigned char)*text))
			text++;
	}
	words[n] = NULL;
	return n;
}

static int run_main(const char *bootargs)
{
	static char *no_name[] = {"program", NULL}, *no_environment[] = {NULL};
	char *text = strdup(bootargs ? bootargs : ""), **words;
	int max = (int)strlen(text) / 2 + 1, n, n_env = 0;

	words = malloc((size_t)(max + 2) * sizeof(*words));
	n = split(text, words + 1, max);
	environ = no_environment;
	while (n_env < n && strchr(words[1 + n_env], '=')) {
		words[n_env] = words[n_env + 1];
		n_env++;
	}
	if (n_env) {
		words[n_env] = NULL;
		environ = words;
	}
	if (n == n_env)
		return main(1, no_name, environ);
	return main(n - n_env, words + 1 + n_env, environ);
}

void boot(uint64_t id, const void *fdt)
{
	uintptr_t end;

	fdt_scan(fdt, &board);
	/* Boot loaders put the tree, and what they keep of ours, at the top. */
	end = (uintptr_t)fdt > (uintptr_t)image_end && (uintptr_t)fdt < board.memory_end
		      ? (uintptr_t)fdt
		      : board.memory_end;
	memory_init((uintptr_t)image_end, end);
	harts_init(id);
	run_constructors();
	exit(run_main(board.bootargs));
}

/* A trap is the end. start.S comes here with interrupts off and a stack of its own, on one hart. */
void trap_report(uint64_t cause, uint64_t pc, uint64_t value, const struct hart *h)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "splashos: hart %d: trap %d at 0x%lx, value 0x%lx\n",
		h ? (int)h->id : -1, (int)cause, (unsigned long)pc, (unsigned long)value);

	sbi_print(text, (uint64_t)n);
	_Exit(255);
}
