# The prompt: the agent of the logged-in user
noinst_LTLIBRARIES += %D%/libprompt.la
%C%_libprompt_la_SOURCES = %D%/prompt.c %D%/prompt.h %D%/terminal.c %D%/terminal.h
%C%_libprompt_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_libprompt_la_LIBADD = libqrexec/libbase.la $(JANSSON_LIBS)
bin_PROGRAMS += %D%/qrexec-policy-agent
%C%_qrexec_policy_agent_SOURCES = %D%/qrexec-policy-agent.c
%C%_qrexec_policy_agent_LDADD = %D%/libprompt.la libqrexec/libloop.la

PROMPT_TESTS = tests/unit/policy-engine/prompt/prompt-test tests/integration/policy-agent-test
check_PROGRAMS += $(PROMPT_TESTS)
TESTS += $(PROMPT_TESTS)
tests_unit_policy_engine_prompt_prompt_test_SOURCES = tests/unit/policy-engine/prompt/prompt-test.c tests/unit/test.h
tests_unit_policy_engine_prompt_prompt_test_LDADD = %D%/libprompt.la $(CMOCKA_LIBS)
tests_integration_policy_agent_test_SOURCES = tests/integration/policy-agent-test.c tests/unit/test.h
tests_integration_policy_agent_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
