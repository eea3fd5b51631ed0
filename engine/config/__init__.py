"""Settings from files, environment and flags. `loading` reads them, `keys` lists them; both stay light."""
