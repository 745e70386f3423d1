# Tests of the front: its parts, and the program with a scripted helper.
SPAWNER_UNIT_TESTS = tests/unit/domain-spawner/journal-test tests/unit/domain-spawner/methods-test \
	tests/unit/domain-spawner/property-test tests/unit/domain-spawner/qvm-run-test \
	tests/unit/domain-spawner/registry-test
check_PROGRAMS += $(SPAWNER_UNIT_TESTS)
TESTS += $(SPAWNER_UNIT_TESTS)
SPAWNER_TEST_LIBS = domain-spawner/libspawner.la domain-spawner/libhelperproto.la libqrexec/libloop.la $(CMOCKA_LIBS)
tests_unit_domain_spawner_journal_test_SOURCES = tests/unit/domain-spawner/journal-test.c tests/unit/test.h
tests_unit_domain_spawner_journal_test_LDADD = $(SPAWNER_TEST_LIBS)
tests_unit_domain_spawner_methods_test_SOURCES = tests/unit/domain-spawner/methods-test.c tests/unit/test.h
tests_unit_domain_spawner_methods_test_LDADD = $(SPAWNER_TEST_LIBS)
tests_unit_domain_spawner_property_test_SOURCES = tests/unit/domain-spawner/property-test.c tests/unit/test.h
tests_unit_domain_spawner_property_test_LDADD = $(SPAWNER_TEST_LIBS)
tests_unit_domain_spawner_qvm_run_test_SOURCES = tests/unit/domain-spawner/qvm-run-test.c tests/unit/tool.h tests/unit/test.h
tests_unit_domain_spawner_qvm_run_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_domain_spawner_registry_test_SOURCES = tests/unit/domain-spawner/registry-test.c tests/unit/test.h
tests_unit_domain_spawner_registry_test_LDADD = $(SPAWNER_TEST_LIBS)

SPAWNER_TALK_TESTS = tests/talk/spawner-adopt-test tests/talk/spawner-answers-test tests/talk/spawner-api-test \
	tests/talk/spawner-gap-test tests/talk/spawner-life-test
check_PROGRAMS += $(SPAWNER_TALK_TESTS) tests/talk/scripted-helper
TESTS += $(SPAWNER_TALK_TESTS)
SPAWNER_STAGE = tests/talk/spawner-stage.c tests/talk/spawner-stage.h tests/unit/test.h
SPAWNER_OUTLIVE = tests/talk/spawner-outlive.c tests/talk/spawner-outlive.h $(SPAWNER_STAGE)
tests_talk_spawner_adopt_test_SOURCES = tests/talk/spawner-adopt-test.c $(SPAWNER_OUTLIVE)
tests_talk_spawner_adopt_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_spawner_answers_test_SOURCES = tests/talk/spawner-answers-test.c $(SPAWNER_STAGE)
tests_talk_spawner_answers_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_spawner_api_test_SOURCES = tests/talk/spawner-api-test.c $(SPAWNER_STAGE)
tests_talk_spawner_api_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_spawner_gap_test_SOURCES = tests/talk/spawner-gap-test.c $(SPAWNER_OUTLIVE)
tests_talk_spawner_gap_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_spawner_life_test_SOURCES = tests/talk/spawner-life-test.c $(SPAWNER_STAGE)
tests_talk_spawner_life_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_scripted_helper_SOURCES = tests/talk/scripted-helper.c
tests_talk_scripted_helper_LDADD = domain-spawner/libhelperproto.la
