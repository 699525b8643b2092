# Each manager of units: the machine's, and those of the users who are there.
managers() {
  echo --system
  systemctl --no-legend --quiet list-units 'user@*' | sed -nE 's/.*user@([0-9]+)\.service.*/--user --machine=\1@/p'
}
