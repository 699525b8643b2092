# fish completion for vortexctl. Job ids, symbols and providers are asked of the service, which is not started
# for it.
set -l verbs status update jobs job cancel series providers pause resume reload reset monitor logs timers ping version

complete -c vortexctl -f
complete -c vortexctl -l user -d 'The service of this user'
complete -c vortexctl -l system -d 'The service of the machine'
complete -c vortexctl -l address -x -d 'The service at this D-Bus address'
complete -c vortexctl -l json -d 'Print JSON'
complete -c vortexctl -l no-pager -d 'No pager'
complete -c vortexctl -l color -xa 'auto always never' -d 'Use colour'
complete -c vortexctl -l help -d 'Print help'
complete -c vortexctl -l version -d 'Print the version'

for verb in $verbs
    complete -c vortexctl -n "not __fish_seen_subcommand_from $verbs" -a $verb
end

complete -c vortexctl -n '__fish_seen_subcommand_from status' -l watch -d 'Go on showing it'
complete -c vortexctl -n '__fish_seen_subcommand_from update' -s p -l provider -xa '(vortexctl __complete providers)'
complete -c vortexctl -n '__fish_seen_subcommand_from update' -s s -l symbol -xa '(vortexctl __complete series)'
complete -c vortexctl -n '__fish_seen_subcommand_from update' -s l -l watchlist -x
complete -c vortexctl -n '__fish_seen_subcommand_from update' -l period -xa '1m 2m 5m 10m 15m 20m 30m 1h 1d 1W 1M 3M'
complete -c vortexctl -n '__fish_seen_subcommand_from update' -l start -x
complete -c vortexctl -n '__fish_seen_subcommand_from update' -l end -x
complete -c vortexctl -n '__fish_seen_subcommand_from update' -l force -d 'Fetch it all again'
complete -c vortexctl -n '__fish_seen_subcommand_from update' -l wait -d 'Wait for the end'
complete -c vortexctl -n '__fish_seen_subcommand_from update' -l follow -d 'Wait and show progress'
complete -c vortexctl -n '__fish_seen_subcommand_from job cancel' -xa '(vortexctl __complete jobs)'
complete -c vortexctl -n '__fish_seen_subcommand_from series' -xa '(vortexctl __complete series)'
complete -c vortexctl -n '__fish_seen_subcommand_from series' -l provider -xa '(vortexctl __complete providers)'
complete -c vortexctl -n '__fish_seen_subcommand_from series' -l state -xa 'current late unlisted suspect failed held'
complete -c vortexctl -n '__fish_seen_subcommand_from providers' -l test -d 'Ask each for a small answer'
complete -c vortexctl -n '__fish_seen_subcommand_from reset' -xa '(vortexctl __complete providers)'
complete -c vortexctl -n '__fish_seen_subcommand_from logs' -l job -xa '(vortexctl __complete jobs)'
complete -c vortexctl -n '__fish_seen_subcommand_from logs' -l provider -xa '(vortexctl __complete providers)'
complete -c vortexctl -n '__fish_seen_subcommand_from logs' -l symbol -xa '(vortexctl __complete series)'
complete -c vortexctl -n '__fish_seen_subcommand_from logs' -s f -l follow
complete -c vortexctl -n '__fish_seen_subcommand_from logs' -s n -l lines -x
complete -c vortexctl -n '__fish_seen_subcommand_from logs' -s S -l since -x
