# SPDX-License-Identifier: BSD-2-Clause
#
# Programs that run on the build machine under sanitizers.
#
#   ringfence_add_host_test(NAME source... [LIBS target...] [INCLUDES dir...] [DEFINES d...])
#       builds a cmocka test and registers it with CTest under the label `host`.

add_library(host_test_options INTERFACE)
target_compile_options(host_test_options INTERFACE
	-std=gnu11 -O1 -g -fno-omit-frame-pointer -Wall -Wextra -Wshadow -Wvla -Werror)
if(RINGFENCE_SANITIZE)
	target_compile_options(host_test_options INTERFACE
		-fsanitize=address,undefined -fno-sanitize-recover=all)
	target_link_options(host_test_options INTERFACE -fsanitize=address,undefined)
endif()

function(ringfence_add_host_test name)
	cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LIBS;DEFINES;INCLUDES")
	add_executable(${name} ${ARG_UNPARSED_ARGUMENTS} ${ARG_SOURCES})
	target_link_libraries(${name} PRIVATE host_test_options pv_abi ${ARG_LIBS} cmocka)
	target_compile_definitions(${name} PRIVATE ${ARG_DEFINES})
	target_include_directories(${name} PRIVATE ${ARG_INCLUDES})
	add_test(NAME host.${name} COMMAND ${name})
	set_tests_properties(host.${name} PROPERTIES LABELS host TIMEOUT 300)
endfunction()

# ringfence_add_python_test(NAME file.py [ENVIRONMENT VAR=value...]): unittest under the label `host`.
function(ringfence_add_python_test name file)
	cmake_parse_arguments(PARSE_ARGV 2 ARG "" "" "ENVIRONMENT")
	add_test(NAME host.${name} COMMAND Python3::Interpreter -B ${file})
	set_tests_properties(host.${name} PROPERTIES LABELS host TIMEOUT 300
		ENVIRONMENT "${ARG_ENVIRONMENT}")
endfunction()
