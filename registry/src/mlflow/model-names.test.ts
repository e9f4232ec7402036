import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../errors.ts';
import { checkAlias, checkModelName, checkNewAlias } from './model-names.ts';

test('an alias is made of letters and digits of every script, underscores and dashes', () => {
  for (const alias of ['champion', 'Champion_2-x', 'größe', '模型', 'чемпион', '٣', '-', 'v1a']) checkNewAlias(alias);
  for (const alias of ['a b', 'a.b', 'a/b', 'a@b', '🎉', 'a\u00a0b', 'a\n'])
    assert.throws(() => checkAlias(alias), ApiError, alias);
  for (const alias of ['latest', 'Latest', 'v1', 'V12']) assert.throws(() => checkNewAlias(alias), /is reserved/);
});

test('an alias has at most 255 characters, however many units they take', () => {
  checkAlias('𝐱'.repeat(255));
  assert.throws(() => checkAlias('a'.repeat(256)), /exceeds the maximum length of 255 characters/);
});

test('a model has a name of at most 256 characters', () => {
  checkModelName('模'.repeat(256));
  assert.throws(() => checkModelName('m'.repeat(257)), /'name' exceeds the maximum length of 256 characters/);
  for (const name of ['', ' ', 'a/b', 'a:b', '.', '..', 'a\u0007'])
    assert.throws(() => checkModelName(name), ApiError, name);
});
