# The walls between domains: needs namespaces, and runs as whoever builds.
check_PROGRAMS += %D%/helper-driver
%C%_helper_driver_SOURCES = %D%/helper-driver.c
%C%_helper_driver_LDADD = domain-spawner/libhelperproto.la
