/* SPDX-License-Identifier: MIT */
/*
 * Linked into every C unit test: libcheck ends a test that takes 4 seconds, which a right one may
 * under sanitizers, without optimisation or on a busy host. A test that hangs is ended all the same.
 */
#include <stdlib.h>

__attribute__((constructor)) static void be_patient(void)
{
	setenv("CK_DEFAULT_TIMEOUT", "600", 0);
}
