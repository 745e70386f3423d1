/*
 * One case: a policy in its files, domains, a request. Plain memory: copied by assignment, which is
 * what shrinking does. Strings of domains are literals.
 *
 * Files are "policy.d/NAME", "run.d/NAME" (goes first), "legacy/NAME", or lie deeper in policy.d
 * for includes. These four directories are always there.
 */
#ifndef QREXEC_TESTS_RANDOM_CASE_H
#define QREXEC_TESTS_RANDOM_CASE_H

#include "tests/random/oracle.h"

#include <stdio.h>

#define CASE_DOMAINS 10
#define CASE_TAGS    48
#define CASE_FILES   10
#define CASE_LINES   64
#define CASE_TEXT    208

struct case_file {
    char path[48];
    char line[CASE_LINES][CASE_TEXT];
    size_t n;
    bool crlf;
};

struct test_case {
    struct policy_domain domain[CASE_DOMAINS]; /* tags: below */
    const char *tag[CASE_DOMAINS][CASE_TAGS];
    size_t n_domains;
    struct case_file file[CASE_FILES];
    size_t n_files;
    char service[CASE_TEXT], argument[CASE_TEXT], source[CASE_TEXT], target[CASE_TEXT],
        requested_source[CASE_TEXT];
    bool just_evaluate;
};

/* What a case is once it is loaded. Zeroed is empty. */
struct loaded_case {
    struct policy *policy;
    struct policy_domains *domains;
    struct policy_domain domain[CASE_DOMAINS]; /* with their tags */
    struct oracle_world world;
};
/* 0; POLICY_E_INVALID; anything else ends the program. */
int case_load(const struct test_case *c, struct loaded_case *ret);
void loaded_case_deinit(struct loaded_case *l);
struct policy_request case_request(const struct test_case *c);

enum case_result { CASE_SAME, CASE_DIFFERS, CASE_NOT_LOADED };
/* Loads it, decides by the engine and by the contract, and, where it is an ask, answers it in every
 * way. Where they differ, what says so. */
enum case_result case_check(const struct test_case *c, char *what, size_t size);
enum case_result case_compare(const struct loaded_case *l, const struct policy_request *q,
                              char *what, size_t size);

/* A verdict as the batch interface prints it. */
void oracle_line(const struct oracle_verdict *v, char *buf, size_t size);
void engine_line(const struct policy_verdict *v, char *buf, size_t size);

/* The least that still differs. */
void case_shrink(struct test_case *c);

/* Files below dir: the policy's, domains.ini and requests.tsv. 0 or -1. */
int case_write(const struct test_case *c, const char *dir);
/* A shell script that makes these files and runs the request. */
void case_print(const struct test_case *c, FILE *out);

#endif
