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

# ringfence_add_python_test(NAME file.py [LABEL l] [ENVIRONMENT VAR=value...]): unittest, label `host`
# unless another is given.
function(ringfence_add_python_test name file)
	cmake_parse_arguments(PARSE_ARGV 2 ARG "" "LABEL" "ENVIRONMENT")
	if(NOT ARG_LABEL)
		set(ARG_LABEL host)
	endif()
	add_test(NAME ${ARG_LABEL}.${name} COMMAND Python3::Interpreter -B ${file})
	set_tests_properties(${ARG_LABEL}.${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 600
		ENVIRONMENT "${ARG_ENVIRONMENT}")
endfunction()

# ringfence_add_fuzz_test(NAME runs source... [INCLUDES dir...] [FLAGS flag...] [OPTIONS o...] [COMMAND command...]):
# a libFuzzer target built by clang with FLAGS, run `runs` times from a fixed seed under the label `host`, with more
# OPTIONS of libFuzzer; the same program without limits is the fuzzer. COMMAND replaces the call of the program;
# it is given its path and `runs`.
# clang is only needed for these, so they are built by commands of their own.
find_program(FUZZ_CLANG NAMES clang-14 clang)
function(ringfence_add_fuzz_test name runs)
	cmake_parse_arguments(PARSE_ARGV 2 ARG "" "" "SOURCES;INCLUDES;FLAGS;OPTIONS;COMMAND")
	if(NOT FUZZ_CLANG)
		return()
	endif()
	set(sources ${ARG_UNPARSED_ARGUMENTS} ${ARG_SOURCES})
	list(TRANSFORM ARG_INCLUDES PREPEND -I)
	set(out ${CMAKE_CURRENT_BINARY_DIR}/${name})
	add_custom_command(OUTPUT ${out}
		COMMAND ${FUZZ_CLANG} -std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined
			-fno-sanitize-recover=all -Wall -Wextra -Werror ${ARG_INCLUDES} ${ARG_FLAGS}
			-I${CMAKE_BINARY_DIR}/pv-abi/include ${sources} -o ${out}
		DEPENDS ${sources} pv_abi_headers ${CMAKE_SOURCE_DIR}/pv-abi/abi.toml
		VERBATIM)
	add_custom_target(${name}_program ALL DEPENDS ${out})
	if(ARG_COMMAND)
		add_test(NAME host.${name} COMMAND ${ARG_COMMAND} ${out} ${runs})
	else()
		add_test(NAME host.${name} COMMAND ${out} -seed=1 -runs=${runs} -max_len=192 ${ARG_OPTIONS})
	endif()
	set_tests_properties(host.${name} PROPERTIES LABELS host TIMEOUT 600)
endfunction()
