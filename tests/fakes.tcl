# Stand-in port managers: how the managers in the field behave, and how a
# broken one may.
#
# Sourced, this file provides the command `fake`:
#   fake start KIND ?OPTION VALUE ...?   starts one, returns a handle
#   fake port HANDLE                     the port it listens on
#   fake requests HANDLE                 what it has received so far, as bytes
#   fake connections HANDLE              how many connections are open
#   fake stop HANDLE                     ends it, which closes all connections
# Run as a program it is such a manager:
#   tclsh fakes.tcl KIND ?-low N? ?-high N? ?-delay MS? ?-listen N?
# It writes its port, obeys the commands `requests` and `connections` on its
# standard input, and ends at the end of that.
#
# Kinds:
#   tcl      the manager written in Tcl: CR LF, the highest port first, the port
#            just freed goes out next, a suffix _1 moves to the older of two
#            equal names, a request in two packets ends the connection
#   rust     the one written in Rust: LF, `FAIL - text`, no second port of the
#            same name, only the first line of a packet is read
#   new      knows HELLO and finds nothing; refuses everything else by a code that is new
#   silent   accepts and never answers
#   half     begins an answer and never ends it
#   hangup   begins an answer and closes
#   closing  closes at once
#   slow     answers as `tcl`, one byte every -delay milliseconds
#   garbage  answers what is no answer
#   long     answers with a line that does not end
#   echo     answers with the request

namespace eval fake {
    variable program [file normalize [info script]]
    namespace export start port requests connections stop
    namespace ensemble create
}

# ------------------------------------------------------- in the test process --

# It listens where no manager of ours will for a while, not on a port the system
# chooses: clients remember that the manager there was an old one.
proc fake::start {kind args} {
    variable program
    set place [list -listen [lindex [support range 1] 0]]
    set channel [open |[list [support tclsh] $program $kind {*}$place {*}$args] r+]
    fconfigure $channel -blocking 0 -buffering line -translation lf -encoding utf-8
    set port [answer $channel]
    return [dict create channel $channel port $port pid [pid $channel]]
}

proc fake::answer {channel} {
    support wait_until {[gets $channel line] >= 0 || [eof $channel]}
    if {[eof $channel]} {
        fconfigure $channel -blocking 1
        close $channel
        error "the stand-in manager ended"
    }
    return $line
}

proc fake::port {handle} {
    return [dict get $handle port]
}

proc fake::requests {handle} {
    puts [dict get $handle channel] requests
    return [binary decode hex [answer [dict get $handle channel]]]
}

proc fake::connections {handle} {
    puts [dict get $handle channel] connections
    return [answer [dict get $handle channel]]
}

proc fake::stop {handle} {
    set channel [dict get $handle channel]
    fconfigure $channel -blocking 1
    close $channel
}

if {[file normalize $::argv0] ne $fake::program} {
    return
}

# ------------------------------------------------------------ in the manager --

set settings {-low 31000 -high 31009 -delay 10 -listen 0}

# free: ports, the next one first. owned: port {channel name user}, in the
# order of allocation. received: all bytes that came.
set free {}
set owned [dict create]
set received {}
set channels {}

proc accept {channel host port} {
    lappend ::channels $channel
    fconfigure $channel -blocking 0 -buffering none -translation binary
    if {$::kind eq "closing"} {
        forget $channel
        return
    }
    fileevent $channel readable [list receive $channel]
}

# Closes a connection and frees its ports, the last one allocated first in line.
proc forget {channel} {
    set at [lsearch -exact $::channels $channel]
    if {$at < 0} {
        return
    }
    set ::channels [lreplace $::channels $at $at]
    close $channel
    dict for {port owner} $::owned {
        if {[lindex $owner 0] eq $channel} {
            dict unset ::owned $port
            set ::free [linsert $::free 0 $port]
        }
    }
}

proc receive {channel} {
    set packet [read $channel]
    append ::received $packet
    if {$packet ne {}} {
        packet_$::kind $channel $packet
    }
    if {$channel in $::channels && [eof $channel]} {
        forget $channel
    }
}

proc reply {channel text {line_end \r\n}} {
    puts -nonewline $channel [encoding convertto utf-8 [string map [list \n $line_end] $text]]
}

proc is_local {channel} {
    return [expr {[lindex [fconfigure $channel -peername] 0] in {127.0.0.1 127.0.1.1 ::1}}]
}

# `OK n` and the lines of LIST. The older of two equal names bears the suffix.
proc listing {suffixes} {
    set keyed {}
    set seen {}
    foreach {port owner} [lreverse_pairs $::owned] {
        lassign $owner - name user
        set key [list $user $name]
        set shown $name
        if {$suffixes && [dict exists $seen $key]} {
            append shown _[dict get $seen $key]
        }
        dict incr seen $key
        lappend keyed [list $key [list $port $shown $user]]
    }
    set text "OK [llength $keyed]\n"
    foreach pair [lsort -index 0 [lsort $keyed]] {
        append text [lindex $pair 1] \n
    }
    return $text
}

proc lreverse_pairs {pairs} {
    set reversed {}
    foreach {value key} [lreverse $pairs] {
        lappend reversed $key $value
    }
    return $reversed
}

proc take {channel name user} {
    set ::free [lassign $::free port]
    dict set ::owned $port [list $channel $name $user]
    return $port
}

# --------------------------------------------------------------------- kinds --

# A packet ends with a line end, or the connection is lost.
proc packet_tcl {channel packet} {
    set packet [string map {\r\n \n \r \n} [encoding convertfrom utf-8 $packet]]
    set requests [split $packet \n]
    set unfinished [lindex $requests end]
    foreach request [lrange $requests 0 end-1] {
        if {![answer_tcl $channel $request]} {
            refuse_tcl $channel $request
            return
        }
    }
    if {$unfinished ne {}} {
        refuse_tcl $channel $unfinished
    }
}

proc refuse_tcl {channel request} {
    if {$channel in $::channels} {
        reply $channel "FAIL [list "Invalid request $request"]\n"
        forget $channel
    }
}

proc answer_tcl {channel request} {
    switch -- [lindex $request 0] {
        LIST {
            reply $channel [listing 1]
        }
        GIMME {
            if {![is_local $channel]} {
                set peer [lindex [fconfigure $channel -peername] 0]
                reply $channel "FAIL [list "$peer ($peer) : Only local applications get ports"]\n"
                forget $channel
            } elseif {[llength $::free] == 0} {
                reply $channel "FAIL {no free ports}\n"
            } else {
                reply $channel "OK [take $channel {*}[lrange [lrange $request 1 2] 0 1]]\n"
            }
        }
        default {
            return 0
        }
    }
    return 1
}

proc packet_rust {channel packet} {
    set request [lindex [split [encoding convertfrom utf-8 $packet] \r\n] 0]
    if {$request eq "LIST"} {
        reply $channel [listing 0] \n
    } elseif {[lindex $request 0] eq "GIMME" && [llength $request] == 3} {
        give_rust $channel {*}[lrange $request 1 2]
    } else {
        reply $channel "FAIL - Invalid request\n" \n
        forget $channel
    }
}

proc give_rust {channel name user} {
    dict for {port owner} $::owned {
        if {[lrange $owner 1 2] eq [list $name $user]} {
            reply $channel "FAIL - duplicate service\n" \n
            return
        }
    }
    if {[llength $::free] == 0} {
        reply $channel "FAIL - no free ports\n" \n
        return
    }
    reply $channel "OK [take $channel $name $user]\n" \n
}

proc packet_new {channel packet} {
    foreach request [split [string trim [string map {\r {}} $packet]] \n] {
        switch -glob -- $request {
            HELLO* { reply $channel "OK 2 {find}\n" }
            FIND*  { reply $channel "OK 0\n" }
            default { reply $channel "FAIL NOTTODAY {come again tomorrow}\n" }
        }
    }
}

proc packet_silent {channel packet} {
}

proc packet_half {channel packet} {
    reply $channel "OK 3\n31000 a u\n310"
}

proc packet_hangup {channel packet} {
    packet_half $channel $packet
    forget $channel
}

proc packet_slow {channel packet} {
    switch -glob -- $packet {
        GIMME* { drip $channel "OK 31000\r\n" }
        LIST*  { drip $channel "OK 1\r\n31000 slow someone\r\n" }
        default { drip $channel "FAIL {Invalid request}\r\n" 1 }
    }
}

# Closes behind it if told so.
proc drip {channel text {last 0}} {
    if {$channel ni $::channels} {
        return
    }
    if {$text ne {}} {
        puts -nonewline $channel [string index $text 0]
        after [dict get $::settings -delay] [list drip $channel [string range $text 1 end] $last]
    } elseif {$last} {
        forget $channel
    }
}

proc packet_garbage {channel packet} {
    reply $channel "HTTP/1.0 400 Bad Request\n\n<html>"
}

proc packet_long {channel packet} {
    reply $channel "OK 1\n31000 "
    flood $channel
}

proc flood {channel} {
    if {$channel ni $::channels} {
        return
    }
    if {[catch {reply $channel [string repeat x 65536]}] || [fblocked $channel]} {
        forget $channel
        return
    }
    after 1 [list flood $channel]
}

proc packet_echo {channel packet} {
    puts -nonewline $channel $packet
}

# ---------------------------------------------------------------------- main --

proc obey {} {
    if {[gets stdin command] < 0} {
        if {[eof stdin]} {
            exit 0
        }
        return
    }
    switch -- $command {
        requests {
            puts [binary encode hex $::received]
        }
        connections {
            puts [llength $::channels]
        }
    }
    flush stdout
}

set settings [dict merge $settings [lassign $argv kind]]
for {set port [dict get $settings -high]} {$port >= [dict get $settings -low]} {incr port -1} {
    lappend free $port
}
set listener [socket -server accept [dict get $settings -listen]]
puts [lindex [fconfigure $listener -sockname] 2]
flush stdout
fconfigure stdin -blocking 0
fileevent stdin readable obey
vwait forever
